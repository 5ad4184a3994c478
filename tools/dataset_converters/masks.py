# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""``mmhires convert masks`` by the name that OpenMMLab's tools have."""

import sys

from mmhires.cli import main

if __name__ == '__main__':
    sys.exit(main(command='convert masks'))

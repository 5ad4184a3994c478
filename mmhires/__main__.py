# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""``python -m mmhires`` is the command ``mmhires``."""

import sys

from mmhires.cli import main

if __name__ == '__main__':
    sys.exit(main())

# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""``python -m mmhires.adapt`` is ``mmhires adapt``."""

import sys
from functools import partial

from mmhires import cli

main = partial(cli.main, command='adapt')

if __name__ == '__main__':
    sys.exit(main())

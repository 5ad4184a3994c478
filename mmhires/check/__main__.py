# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""``python -m mmhires.check`` is ``mmhires check``."""

import sys
from functools import partial

from mmhires import cli

main = partial(cli.main, command='check')

if __name__ == '__main__':
    sys.exit(main())

# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Train a model with the train.py of the package its config is for."""

import os
import sys

from mmhires.cli.host_tools import host_main
from mmhires.utils.processes import end_with_parent

if __name__ == '__main__':
    if 'TORCHELASTIC_RUN_ID' in os.environ:  # a process of dist_train.sh
        end_with_parent()
    try:
        main = host_main('train.py', sys.argv[1:])
    except (FileNotFoundError, ModuleNotFoundError, ValueError) as error:
        sys.exit(f'train.py: {error}')
    main()

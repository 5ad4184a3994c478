# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Test a model with the test.py of the package its config is for."""

import sys

from mmhires.cli.host_tools import host_main

if __name__ == '__main__':
    try:
        main = host_main('test.py', sys.argv[1:])
    except (FileNotFoundError, ModuleNotFoundError, ValueError) as error:
        sys.exit(f'test.py: {error}')
    main()

# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""``mmhires flops`` by the name that OpenMMLab's tools have."""

from mmhires.cli import run_script

if __name__ == '__main__':
    run_script('flops')

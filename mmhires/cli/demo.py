# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""A trained full-size network has to run on a quarter of the pixels.

Measures, on streets that no training saw, a network that comes with mmhires,
the same network fed smaller images, and three ways to fine-tune it for images
of half the sides: plain, DSRL and HRFR. The fine-tuning runs now, for some
minutes on two cores. Prints a table and writes a page to look at. The same
command goes on where it was stopped and measures nothing twice; another
--out-dir begins anew.
"""

import argparse

from .options import at_least


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of :func:`run`."""
    add = parser.add_argument
    add('--seed', type=at_least(0), default=0, help='of the training')
    add('--iters', type=at_least(1), help='training steps of each')
    longer = 'four times as many steps, and a plain network between the sizes'
    add('--train-longer', action='store_true', help=longer)
    add('--test-images', type=at_least(1), default=400, help='streets to test on')
    add('--quick', action='store_true', help='measure, but train nothing')
    add('--train-images', type=at_least(1), default=400, help='streets to train on')
    add('--out-dir', default='demo_out', help='of all that is written')


def run(args: argparse.Namespace) -> None:
    """Run the demo."""
    from mmhires.demo.demo import compare_on_streets

    try:
        compare_on_streets(args)
    except KeyboardInterrupt as error:
        raise KeyboardInterrupt('stopped; the same command goes on from here') from error

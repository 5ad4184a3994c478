# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Write a config that inherits yours and brings a method to it.

    mmhires adapt dsrl CONFIG --teacher-ckpt CHECKPOINT -o MINE.py

CONFIG is a file of yours or a config of MMSegmentation or MMPose.
"""

import argparse
import sys
import warnings
from pathlib import Path

from mmhires.adapt import METHODS

from .options import add_config, at_least, read_config


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of :func:`run`."""
    add = parser.add_argument
    add('method', choices=METHODS)
    add_config(parser)
    add('-o', '--out', type=Path, help='file to write; printed without it')
    add(
        '--scale',
        type=float,
        default=2,
        help='full-size image : network input, not of jpu; made one of which maps halve evenly',
    )
    add('--teacher-ckpt', help="weights of the config's model, which is the teacher")
    add('--unlabelled', metavar='FOLDER', help='pictures without labels that the teacher teaches')
    add('--steps', type=at_least(0), default=10, help='steps of the trial, 0 for shapes alone')
    add(
        '--schedule',
        choices=('fine-tune', 'base'),
        default='fine-tune',
        help='with --teacher-ckpt: one for fine-tuning, or that of CONFIG',
    )
    add(
        '--iters',
        type=at_least(1),
        help='length of the fine-tuning, in epochs where CONFIG counts these; '
        'without it half of that of CONFIG',
    )


def run(args: argparse.Namespace) -> None:
    """Print or write the child config."""
    from mmhires.adapt import AdaptError, adapt
    from mmhires.utils.configs import config_files
    from mmhires.utils.files import open_whole, refuse_overwriting

    config = read_config(args)
    if args.out is not None:
        refuse_overwriting([args.out], [*config_files(config), args.teacher_ckpt or ''])
    options = vars(args) | dict(config=config)
    options.pop('model')
    with warnings.catch_warnings(record=True) as advice:
        warnings.simplefilter('always')
        try:
            text = adapt(**options)
        except AdaptError as error:
            raise AdaptError(f'{config}: {error}') from error
    if args.out is not None:
        with open_whole(args.out, encoding='utf-8') as file:
            file.write(text)
        text = f'{args.out}\n'
    for line in advice:
        sys.stderr.write(f'{config}: warning: {line.message}\n')
    sys.stdout.write(text)

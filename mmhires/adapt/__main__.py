# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""``python -m mmhires.adapt METHOD CONFIG`` writes a child config."""
import argparse
import sys
import warnings
from pathlib import Path

from mmhires.utils.configs import config_files
from mmhires.utils.files import open_whole, refuse_overwriting

from . import METHODS, adapt


def main(argv: list[str] | None = None) -> int:
    """Print or write the child config.

    Args:
        argv (list[str], optional): Arguments. Default: those of the process.

    Returns:
        int: 1 if the method cannot go there, 0 otherwise.
    """
    parser = argparse.ArgumentParser(
        prog='python -m mmhires.adapt',
        description='Bring a method to a config of MMSegmentation or MMPose')
    parser.add_argument('method', choices=METHODS)
    parser.add_argument(
        'config', help="a file, or the name of one of upstream's, mmseg::...")
    parser.add_argument(
        '-o', '--out', type=Path, help='file to write (default: print it)')
    parser.add_argument(
        '--scale',
        type=int,
        default=2,
        help='full-size image : network input, of dsrl and hrfr (default: 2)')
    parser.add_argument(
        '--teacher-ckpt',
        help="weights of the config's model, the teacher of hrfr and dsrl")
    parser.add_argument(
        '--steps',
        type=int,
        default=10,
        help='training steps of the trial, 0 for shapes alone (default: 10)')
    args = parser.parse_args(argv)
    from .upstream import AdaptError  # after --help, as it takes seconds
    try:
        if args.out is not None:
            refuse_overwriting(
                [args.out],
                [*config_files(args.config), args.teacher_ckpt or ''])
        with warnings.catch_warnings(record=True) as advice:
            warnings.simplefilter('always')
            text = adapt(**vars(args))
        if args.out is not None:
            with open_whole(args.out, encoding='utf-8') as file:
                file.write(text)
            text = f'{args.out}\n'
    except (AdaptError, OSError, ValueError) as error:
        sys.stderr.write(f'{args.config}: {error}\n')
        return 1
    for line in advice:
        sys.stderr.write(f'{args.config}: warning: {line.message}\n')
    sys.stdout.write(text)
    return 0


if __name__ == '__main__':
    sys.exit(main())

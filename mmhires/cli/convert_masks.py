# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
r"""Convert masks of colours or grey values to labels of class indices.

    mmhires convert masks MASKS data/mine/labels --palette classes.txt
    mmhires convert masks MASKS data/mine/labels --classes 0 255

Each line of the palette is a class, in the order of its index: ``128 64 128
road`` or ``road,128,64,128``, ``255 crack`` of grey masks. Lines of one name
are one class; what is named ``ignore`` becomes 255.
"""

import argparse
import signal
import sys


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of :func:`run`."""
    add = parser.add_argument
    add('src', help='folder of masks, with those within')
    add('dst', help='folder to write, e.g. data/mine/labels')
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument('--palette', help='file of classes, a line each')
    text = 'the same as arguments: 0 255, or 0,0,0 128,64,128,road'
    which.add_argument('--classes', nargs='+', metavar='VALUE', help=text)
    add('--ignore-others', action='store_true', help='values not in the palette become 255')
    add('--force', action='store_true', help='replace a dst that has content')


def run(args: argparse.Namespace) -> None:
    """Convert the masks, and print the share of each class."""
    from mmhires.converters.masks import convert_masks, read_palette

    if args.palette:
        with open(args.palette, encoding='utf-8-sig') as file:
            palette = read_palette(file)
    else:
        palette = read_palette(args.classes)
    # As Ctrl-C does, a plain kill takes the unfinished folder away.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    read = [args.palette] if args.palette else []
    count, pixels = convert_masks(
        args.src, args.dst, palette, args.ignore_others, args.force, others=read
    )
    sys.stdout.write(f'{args.dst}: {count} masks\n')
    names = [f'{i} {name}' for i, name in enumerate(palette.names)]
    for name, share in zip([*names, '255 ignored'], pixels / pixels.sum()):
        sys.stdout.write(f'{100 * share:6.2f} % {name}\n')

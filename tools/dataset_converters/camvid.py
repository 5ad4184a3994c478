# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Convert CamVid, as published, to the layout that CamVidDataset reads."""

import argparse
import signal
import sys


def parse_args():
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        'src',
        help='folder of the SegNet layout (train/, trainannot/, ...) or of '
        'the original one (NAME.png and NAME_L.png in any folders)')
    parser.add_argument('dst', help='folder to write, e.g. data/camvid')
    parser.add_argument(
        '--split-dir',
        help='folder of train.txt, val.txt and, if wanted, test.txt for the '
        "original layout (default: SegNet's split)")
    parser.add_argument(
        '--allow-partial',
        action='store_true',
        help='accept other counts than 367 train, 101 val and 233 test')
    parser.add_argument(
        '--force', action='store_true', help='replace a dst that has content')
    return parser.parse_args()


def main():
    """Convert, or say in one line what is wrong."""
    args = parse_args()
    # After --help, as it takes seconds.
    from mmhires.converters.camvid import convert_camvid
    # As Ctrl-C does, a plain kill takes the unfinished folder away.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        counts = convert_camvid(args.src, args.dst, args.split_dir,
                                args.allow_partial, args.force)
    except KeyboardInterrupt:
        sys.exit(f'error: interrupted, {args.dst} is as it was')
    except (OSError, ValueError) as e:
        sys.exit(f'error: {e}')
    print(f'{args.dst}: ' + ', '.join(f'{n} {s}' for s, n in counts.items()))


if __name__ == '__main__':
    main()

# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Convert a published checkpoint to ours, or one of ours to its names."""
import argparse
import sys


def parse_args():
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('src', help='checkpoint to read')
    parser.add_argument('dst', help='checkpoint to write')
    parser.add_argument(
        '--source',
        required=True,
        metavar='SOURCE',
        help='who published it: dabnet, ddrnet, ddrnet-imagenet, espnetv2, '
        'fastfcn, mmseg-ddrnet or mmseg-fastfcn')
    parser.add_argument(
        '--reverse',
        action='store_true',
        help='src is ours, dst gets the names of the source')
    return parser.parse_args()


def main():
    """Convert, or say in one line what is wrong."""
    args = parse_args()
    # After --help, as these take seconds.
    import torch

    from mmhires.converters import convert_file
    try:
        state_dict = convert_file(args.src, args.dst, args.source,
                                  args.reverse)
    except (KeyError, OSError, ValueError) as e:
        # str() of a KeyError is quoted.
        reason = e.args[0] if isinstance(e, KeyError) else e
        sys.exit(f'error: {reason}')
    print(f'{args.dst}: {len(state_dict)} tensors, '
          f'{"to" if args.reverse else "from"} {args.source}')
    meta = torch.load(args.dst, weights_only=True)['meta']
    if 'dataset_meta' in meta:
        names = meta['dataset_meta']['classes']
        print(f'{len(names)} classes, taken to be {", ".join(names[:3])} ... '
              f'{names[-1]}')


if __name__ == '__main__':
    main()

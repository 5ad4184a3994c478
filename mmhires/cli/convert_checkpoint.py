# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Convert a published checkpoint to ours, or ours to its names.

mmhires convert checkpoint theirs.pth ours.pth --source ddrnet
"""

import argparse
import sys

from mmhires.converters.sources import SOURCES


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of :func:`run`."""
    add = parser.add_argument
    add('src', help='checkpoint to read')
    add('dst', help='checkpoint to write')
    known = dict(choices=SOURCES, metavar='SOURCE', help='who published it: %(choices)s')
    add('--source', required=True, **known)
    add('--reverse', action='store_true', help='src is ours, dst gets the names of the source')


def run(args: argparse.Namespace) -> None:
    """Convert, and print the classes that the checkpoint is assumed to have."""
    import torch

    from mmhires.converters import convert_file

    try:
        state_dict = convert_file(args.src, args.dst, args.source, args.reverse)
    except KeyError as error:  # whose str() is quoted
        raise ValueError(error.args[0]) from error
    sys.stdout.write(
        f'{args.dst}: {len(state_dict)} tensors, {"to" if args.reverse else "from"} {args.source}\n'
    )
    meta = torch.load(args.dst, weights_only=True)['meta']
    if 'dataset_meta' in meta:
        names = meta['dataset_meta']['classes']
        sys.stdout.write(
            f'{len(names)} classes, taken to be {", ".join(names[:3])} ... {names[-1]}\n'
        )

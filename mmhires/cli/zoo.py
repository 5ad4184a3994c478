# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""List published weights, or download them.

    mmhires zoo
    mmhires zoo ddrnet-23-slim_cityscapes --download

A name is what --model of the other commands takes and, with mmhires:// before
it, load_from and the checkpoint of an init_cfg.
"""

import argparse
import sys


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of :func:`run`."""
    add = parser.add_argument
    add('pattern', nargs='?', default='*', help="of names, such as 'ddrnet*'")
    add('--download', action='store_true', help='put the files into the cache and load each')


def run(args: argparse.Namespace) -> None:
    """List the weights, and download the requested ones."""
    from mmhires.zoo import list_models, load_model, load_published
    from mmhires.zoo.published import find

    names = list_models(args.pattern)
    if not names:
        find(args.pattern)  # says which names are like it
    for name in names if args.download else ():
        if find(name).config:
            load_model(name, device='cpu')
        else:
            load_published(name)
        sys.stdout.write(f'{name}: mmhires://{name}\n')

# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Paint a model's prediction over pictures or videos.

    mmhires paint street.jpg --model ddrnet-23-slim_cityscapes
    mmhires paint street.jpg CONFIG CHECKPOINT
    mmhires paint people.jpg CONFIG CHECKPOINT --boxes boxes.json

Of a segmentor it paints the classes, of a top-down pose estimator the
skeletons of the persons in the boxes, or of one who fills the picture.
"""

import argparse
import sys

from .options import BOXES, INPUTS, add_model, load_model


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of :func:`run`."""
    add = parser.add_argument
    add('input', help=INPUTS)
    add_model(parser)
    add(
        '--out-dir', default='demo_out', help='of the painted files, by their directories and names'
    )
    add('--boxes', help=BOXES)
    add('--opacity', type=float, help='of the colours, in (0, 1] (default: 0.5, of skeletons 1)')
    add('--with-labels', action='store_true', help='write class names; slow on large pictures')
    add('--device', default='auto', help="'cpu', 'cuda:0', ...; 'auto' takes a GPU if there is one")


def run(args: argparse.Namespace) -> list[str]:
    """Paint, and report the problems of inputs."""
    from mmhires.apis.overlay import make_painter, overlay
    from mmhires.utils.boxes import BoxFile
    from mmhires.utils.inputs import list_inputs

    inputs = list_inputs(args.input, leave_out=args.out_dir)
    boxes = BoxFile(args.boxes) if args.boxes else None
    model = load_model(args, args.device)
    paint = make_painter(model, args.opacity, args.with_labels)
    problems = overlay(paint, inputs, args.out_dir, boxes)
    sys.stdout.write(
        f'painted {len(inputs) - len(problems)} of {len(inputs)} files into {args.out_dir}\n'
    )
    return problems

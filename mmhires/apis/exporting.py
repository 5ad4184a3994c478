# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Export of a model, with a report of how well the file agrees."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from .overlay import say

if TYPE_CHECKING:
    from torch import nn


def export_float(
    model: 'nn.Module', args: argparse.Namespace, images: list, out: str | Path
) -> str:
    """Export, and describe how well the file agrees with the model."""
    from mmhires.deploy import export

    precision = 'fp32' if args.precision == 'int8' else args.precision
    results = export(
        model,
        out,
        images,
        precision,
        dynamic=args.dynamic,
        opset=args.opset,
        batch=args.batch,
        labels=args.labels,
    )
    worst = min(result.share for result in results)
    text = f'as the model on {worst:.4%} or more of each of {len(results)} images'
    uncertain = sum(result.uncertain for result in results)
    if not uncertain:
        return text
    return f'{text}, but for {uncertain} keypoints of which its heatmaps have several equal peaks'


def export_int8(model: 'nn.Module', args: argparse.Namespace, images: list, folder: str) -> str:
    """Export in fp32, quantize, and describe the result."""
    from mmhires.deploy.quantize import make_score, quantize
    from mmhires.utils.files import refuse_overwriting
    from mmhires.utils.inputs import find_inputs

    if not args.calibration or not args.out.lower().endswith('.onnx'):
        raise ValueError('--precision int8 needs --calibration DIRECTORY, and writes .onnx')
    pictures = find_inputs(args.calibration)
    refuse_overwriting([args.out], pictures + images)
    pictures = pictures[:: -(-len(pictures) // 32)]
    floats = Path(folder) / 'float.onnx'
    export_float(model, args, images, floats)
    name, score = make_score(model, images, args.max_images)
    limit = 0.5 if name == 'mIoU' else 1
    before, after, kept = quantize(floats, args.out, pictures, score, limit)
    text = f'{name} {before:.2f} before, {after:.2f} in int8'
    return f'{text}; in float for that: {", ".join(kept)}' if kept else text


def draw_street(folder: str) -> str:
    """Draw a street to compare on, if there are no images."""
    from mmhires.datasets import StreetsDataset
    from mmhires.utils.images import write_image

    say(['no --images: compared on one drawn street only'])
    scene = StreetsDataset(size=(256, 512), length=1, pipeline=[])[0]
    file = str(Path(folder) / 'street.png')
    write_image(scene['img'], file)
    return file

# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
r"""Run an exported model on pictures or videos.

    mmhires predict model.onnx street.png --out-dir out
    mmhires predict pose.onnx people.jpg --boxes boxes.json

Of a segmentor it writes the labels of a picture as a palette picture of the
same name, .png (16-bit grey of more than 256 classes), and a video as .mp4
with the classes painted over it; of a pose model the keypoints of the persons
as .json, and the picture, .png, or the video, .mp4, with their skeletons.
Decoding, the network and writing run beside each other; an input that cannot
be read, predicted or written does not keep the others from being predicted.
"""

import argparse
import sys
import time
from pathlib import Path

from mmhires.deploy.formats import FORMATS, RUNTIMES

from .options import BOXES, INPUTS, at_least


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of :func:`run`."""
    add = parser.add_argument
    add('model', help=f'{" or ".join(FORMATS)} that `mmhires export` wrote')
    add('input', nargs='+', help=INPUTS)
    add('--out-dir', default='predictions', help='where the files go')
    add('--boxes', help=BOXES)
    add('--device', default='cpu', help="'cpu', 'cuda', 'cuda:1' or, for .onnx, 'tensorrt'")
    runtimes = ('auto', *RUNTIMES)
    add('--runtime', default='auto', choices=runtimes, help='auto is the best that is installed')
    precisions = ('fp32', 'fp16', 'bf16')
    add('--precision', choices=precisions, help='to compute in (default: that of the model)')
    add('--threads', type=at_least(1), help='of the network')


def run(args: argparse.Namespace) -> list[str]:
    """Predict, and report the problems of inputs."""
    from mmhires.apis.overlay import say, say_shared
    from mmhires.apis.prediction import outputs, predict_pictures, predict_video
    from mmhires.deploy import Predictor
    from mmhires.utils.boxes import BoxFile
    from mmhires.utils.files import refuse_overwriting
    from mmhires.utils.inputs import list_inputs, name_outputs

    inputs = list_inputs(*args.input, leave_out=args.out_dir)
    boxes = BoxFile(args.boxes) if args.boxes else None
    predictor = Predictor(args.model, args.device, args.threads, args.runtime, args.precision)
    if boxes and not predictor.takes_boxes:
        raise ValueError(f'--boxes are of pose models, {args.model} is a segmentor')
    names, shared = name_outputs(inputs)
    stems = [Path(args.out_dir, name) for name in names]
    refuse_overwriting(
        outputs(predictor, inputs, stems),
        [args.model, *filter(None, [args.boxes])] + [given.source for given in inputs],
    )
    say([f'{args.model} runs on {predictor.runtime}, {args.device}'])
    say_shared(shared)
    Path(args.out_dir).mkdir(parents=True, exist_ok=True)
    items, problems = list(zip(inputs, stems, strict=True)), []
    if pictures := [item for item in items if not item[0].is_video]:
        begin = time.perf_counter()
        found = predict_pictures(predictor, pictures, boxes)
        report(args, len(pictures) - len(found), len(pictures), 'pictures', begin)
        problems += found
    for given, stem in items:
        if given.is_video:
            begin = time.perf_counter()
            count, total, found = predict_video(predictor, given, stem, boxes)
            report(args, count, total, 'frames', begin)
            problems += found
    return problems


def report(args: argparse.Namespace, count: int, total: int, kind: str, begin: float) -> None:
    """Print the results of pictures or of a video's frames."""
    rate = count / (time.perf_counter() - begin)
    sys.stdout.write(
        f'predicted {count} of {total} {kind} into {args.out_dir}, {rate:.1f} {kind}/s\n'
    )

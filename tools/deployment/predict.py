# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
r"""Run an exported model on pictures or videos.

    python tools/deployment/predict.py model.onnx street.png --out-dir out
    python tools/deployment/predict.py pose.onnx people.jpg --boxes boxes.json

Of a segmentor it writes the labels of a picture as a palette picture of the
same name, .png (16-bit grey of more than 256 classes), and a video as .mp4
with the classes painted over it; of a pose model the keypoints of the persons
as .json, and the picture, .png, or the video, .mp4, with their skeletons.
Decoding, the network and writing run beside each other; an input that cannot
be read, predicted or written does not keep the others from being predicted.
"""
import argparse
import json
import sys
import time
from collections import deque
from collections.abc import Iterator, Sequence
from itertools import repeat, takewhile
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from mmhires.apis.overlay import name_problem, say, say_shared, track
from mmhires.deploy import Predictor
from mmhires.deploy.painting import paint_keypoints, paint_labels
from mmhires.deploy.runtimes import RUNTIMES
from mmhires.utils.boxes import BoxFile
from mmhires.utils.files import open_whole, refuse_overwriting
from mmhires.utils.images import read_image, write_image
from mmhires.utils.inputs import Input, list_inputs, name_outputs
from mmhires.utils.video_reading import Frame, read_video, stop_on_interrupt
from mmhires.utils.video_writing import write_video

# What may be wrong with an input.
FAULTS = (OSError, ValueError, MemoryError, cv2.error)


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('model', help='.onnx or .pt2 that export.py wrote')
    parser.add_argument(
        'input',
        nargs='+',
        help='a picture or a video, a directory of pictures (those of '
        "directories within too), a pattern ('streets/*/*.png'), the address "
        'of a stream (rtsp://..., http://...) or the number of a camera, '
        'which Ctrl-C ends')
    parser.add_argument(
        '--out-dir', default='predictions', help='(default: %(default)s)')
    parser.add_argument(
        '--boxes',
        help='JSON of the persons, for a pose model: a list of x1, y1, x2, y2 '
        'for all pictures, or an object of such lists by names of pictures '
        '(default: one person fills the picture)')
    parser.add_argument(
        '--device',
        default='cpu',
        help="'cpu', 'cuda', 'cuda:1' or, for .onnx, 'tensorrt' "
        '(default: %(default)s)')
    parser.add_argument(
        '--runtime',
        default='auto',
        choices=('auto', *RUNTIMES),
        help='what runs the model (default: the best that is installed)')
    parser.add_argument(
        '--precision',
        choices=('fp32', 'fp16', 'bf16'),
        help='to compute in (default: that of the model)')
    parser.add_argument('--threads', type=int, help='of the network')
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    try:
        inputs = list_inputs(*args.input, leave_out=args.out_dir)
        boxes = BoxFile(args.boxes) if args.boxes else None
        predictor = Predictor(args.model, args.device, args.threads,
                              args.runtime, args.precision)
        if boxes and not predictor.takes_boxes:
            raise ValueError(f'--boxes are of pose models, {args.model} is a '
                             'segmentor')
        names, shared = name_outputs(inputs)
        stems = [Path(args.out_dir, name) for name in names]
        refuse_overwriting(
            outputs(predictor, inputs,
                    stems), [args.model, *filter(None, [args.boxes])] +
            [given.source for given in inputs])
        say([f'{args.model} runs on {predictor.runtime}, {args.device}'])
        say_shared(shared)
        Path(args.out_dir).mkdir(parents=True, exist_ok=True)
    except (OSError, ImportError, ValueError) as error:
        sys.exit(f'predict.py: {error}')
    items = list(zip(inputs, stems, strict=True))
    problems = []
    if pictures := [item for item in items if not item[0].is_video]:
        begin = time.perf_counter()
        found = predict_pictures(predictor, pictures, boxes)
        total = len(pictures)
        report(args, total - len(found), total, 'pictures', begin)
        problems += found
    for given, stem in items:
        if given.is_video:
            begin = time.perf_counter()
            count, total, found = predict_video(predictor, given, stem, boxes)
            report(args, count, total, 'frames', begin)
            problems += found
    if problems:
        sys.exit('\n'.join(f'predict.py: {problem}' for problem in problems))


def report(args: argparse.Namespace, count: int, total: int, kind: str,
           begin: float) -> None:
    """Print what became of pictures or of the frames of a video."""
    rate = count / (time.perf_counter() - begin)
    print(f'predicted {count} of {total} {kind} into {args.out_dir}, '
          f'{rate:.1f} {kind}/s')


def outputs(predictor: Predictor, inputs: Sequence[Input],
            stems: Sequence[Path]) -> Iterator[str]:
    """Names of all files that are written."""
    for given, stem in zip(inputs, stems, strict=True):
        yield f'{stem}.mp4' if given.is_video else f'{stem}.png'
        if predictor.takes_boxes:
            yield f'{stem}.json'


def predict_pictures(predictor: Predictor, items: Sequence[tuple[Input, Path]],
                     boxes: BoxFile | None) -> list[str]:
    """Write the files of each picture; what was wrong with some."""
    problems, known = [], {}
    for item in items:
        try:
            known[item] = boxes and boxes.of(item[0].name)
        except ValueError as error:
            problems.append(str(error))
    results = predictor.stream([given.source for given, _ in known],
                               boxes=boxes and known.values())
    for (given, stem), (_, result) in zip(
            known, track(results, len(known)), strict=True):
        try:
            if isinstance(result, Exception):
                raise result
            stem.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(result, np.ndarray):
                write_labels(result, predictor.palette, f'{stem}.png')
            else:
                image = read_image(given.source, **predictor.decoding)
                painted = paint_keypoints(image, *result, predictor.task.spec)
                write_image(painted, f'{stem}.png')
                write_json(as_lists(result), f'{stem}.json')
        except FAULTS as error:
            problems.append(name_problem(given.source, error))
    return problems


def predict_video(predictor: Predictor, given: Input, stem: Path,
                  boxes: BoxFile | None) -> tuple[int, int, list[str]]:
    """Write the files of a video; frames of how many, and what was wrong."""
    keypoints, count, problems = [], 0, []
    try:
        video = read_video(given.source)
    except FAULTS as error:
        return 0, 0, [name_problem(given.source, error)]
    times = deque()

    def images() -> Iterator[np.ndarray]:
        for frame in video:
            times.append(frame.time)
            yield frame.image
        times.append(None)

    def painted(persons: list | None) -> Iterator[Frame]:
        # The same ones for every frame, until there are no more.
        every = takewhile(lambda _: None not in times, repeat(persons))
        results = predictor.stream(images(), boxes=every)
        for image, result in track(results, video.total):
            if isinstance(result, Exception):
                raise result
            if isinstance(result, np.ndarray):
                image = paint_labels(image, result, predictor.palette)
            else:
                keypoints.append(as_lists(result))
                image = paint_keypoints(image, *result, predictor.task.spec)
            yield Frame(image, times.popleft())

    try:
        stem.parent.mkdir(parents=True, exist_ok=True)
        persons = boxes and boxes.of(given.name)
        with stop_on_interrupt(video):
            count, notes = write_video(
                painted(persons), Path(f'{stem}.mp4'), video)
        say(notes)
        if not count:
            raise ValueError('no frame of it can be decoded')
        if predictor.takes_boxes:
            write_json(keypoints, f'{stem}.json')
        problems += video.problems()
    except FAULTS as error:
        problems.append(name_problem(given.source, error))
    return count, max(video.total, video.count), problems


def write_labels(labels: np.ndarray, palette: list, file: str) -> None:
    """Write a palette picture, or 16 bits where 8 are too few."""
    if len(palette) > 256:
        write_image(labels.astype(np.uint16), file)
        return
    picture = Image.fromarray(labels.astype(np.uint8), 'P')
    picture.putpalette([part for color in palette for part in color])
    with open_whole(file, 'wb') as stream:
        picture.save(stream, 'png')


def write_json(content: list | dict, file: str) -> None:
    with open_whole(file, encoding='utf-8') as stream:
        json.dump(content, stream)


def as_lists(keypoints) -> dict[str, list]:
    return {name: part.tolist() for name, part in keypoints._asdict().items()}


if __name__ == '__main__':
    main()

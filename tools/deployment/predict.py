# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
r"""Run an exported model on pictures or a video.

    python tools/deployment/predict.py model.onnx street.png --out-dir out

Of a segmentor it writes the labels of a picture as a palette picture of the
same name, .png, and a video as .mp4 with the classes painted over it; of a
pose model the keypoints of the whole picture, of each frame of a video, as
.json. Decoding, the network and writing run beside each other; a picture that
cannot be decoded does not keep the others from being predicted.
"""
import argparse
import json
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from mmhires.apis.overlay import VIDEOS, find_inputs, track
from mmhires.deploy import Predictor
from mmhires.deploy.runtimes import RUNTIMES
from mmhires.utils.files import open_whole
from mmhires.utils.images import read_video, write_video


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('model', help='.onnx or .pt2 that export.py wrote')
    parser.add_argument(
        'input', help='a picture, a directory of pictures or a video')
    parser.add_argument(
        '--out-dir', default='predictions', help='(default: %(default)s)')
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
        files = find_inputs(args.input)
        predictor = Predictor(args.model, args.device, args.threads,
                              args.runtime, args.precision)
        print(
            f'{args.model} runs on {predictor.runtime}, {args.device}',
            file=sys.stderr)
        Path(args.out_dir).mkdir(parents=True, exist_ok=True)
        begin = time.perf_counter()
        if files[0].suffix.lower() in VIDEOS:
            count, problems = predict_video(predictor, files[0],
                                            Path(args.out_dir)), []
            kind, total = 'frames', count
        else:
            problems = predict_pictures(predictor, files, Path(args.out_dir))
            kind, total = 'pictures', len(files)
            count = total - len(problems)
        seconds = time.perf_counter() - begin
    except (OSError, ImportError, ValueError) as error:
        sys.exit(f'predict.py: {error}')
    print(f'predicted {count} of {total} {kind} into {args.out_dir}, '
          f'{total / seconds:.1f} {kind}/s')
    if problems:
        sys.exit('\n'.join(f'predict.py: {problem}' for problem in problems))


def predict_pictures(predictor: Predictor, files: list[Path],
                     out_dir: Path) -> list[str]:
    """Write a file for each picture; what was wrong with some."""
    stems = Counter(file.stem for file in files)
    problems = []
    for file, result in track(predictor.stream(files), len(files)):
        # a.jpg and a.png side by side keep their suffixes
        name = file.stem if stems[file.stem] == 1 else file.name
        if isinstance(result, Exception):
            problems.append(str(result))
        elif isinstance(result, np.ndarray):
            picture = Image.fromarray(result.astype(np.uint8), 'P')
            picture.putpalette(
                [part for color in predictor.palette for part in color])
            with open_whole(out_dir / f'{name}.png', 'wb') as stream:
                picture.save(stream, 'png')
        else:
            with open_whole(out_dir / f'{name}.json') as stream:
                json.dump(as_lists(result), stream)
    return problems


def predict_video(predictor: Predictor, file: Path, out_dir: Path) -> int:
    """Write one file for a video; how many frames it has."""
    reader = read_video(file)
    palette = np.array(predictor.palette, np.uint8)[:, ::-1]  # BGR
    keypoints = []

    def painted() -> Iterator[np.ndarray]:
        for frame, result in track(predictor.stream(reader), reader.frame_cnt):
            if isinstance(result, Exception):
                raise result
            if isinstance(result, np.ndarray):
                frame = cv2.resize(frame, result.shape[::-1])
                yield cv2.addWeighted(frame, .5, palette[result], .5, 0)
            else:
                keypoints.append(as_lists(result))

    count = write_video(painted(), out_dir / f'{file.stem}.mp4', reader.fps)
    if keypoints:
        with open_whole(out_dir / f'{file.stem}.json') as stream:
            json.dump(keypoints, stream)
    return count + len(keypoints)


def as_lists(keypoints) -> dict[str, list]:
    return {name: part.tolist() for name, part in keypoints._asdict().items()}


if __name__ == '__main__':
    main()

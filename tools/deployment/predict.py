# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
r"""Run an exported model on pictures.

    python tools/deployment/predict.py model.onnx street.png --out-dir out

Of a segmentor it writes the labels as a palette picture of the same name,
.png; of a pose model the keypoints of the whole picture as .json.
"""
import argparse
import sys
from pathlib import Path

import numpy as np
from mmengine.fileio import dump
from mmengine.utils import mkdir_or_exist, track_iter_progress
from PIL import Image

from mmhires.apis.overlay import find_inputs
from mmhires.deploy import Predictor


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('model', help='.onnx or .pt2 that export.py wrote')
    parser.add_argument('input', help='a picture or a directory of pictures')
    parser.add_argument(
        '--out-dir', default='predictions', help='(default: %(default)s)')
    parser.add_argument(
        '--device',
        default='cpu',
        help="'cpu', 'cuda' or, for .onnx, 'tensorrt' (default: %(default)s)")
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    problems = []
    try:
        files = find_inputs(args.input)
        predictor = Predictor(args.model, args.device)
        mkdir_or_exist(args.out_dir)
        for file in track_iter_progress(files, file=sys.stderr):
            try:
                write(predictor, file, Path(args.out_dir) / file.stem)
            except ValueError as error:
                problems.append(f'predict.py: {error}')
    except (FileNotFoundError, ImportError, ValueError) as error:
        sys.exit(f'predict.py: {error}')
    print(f'predicted {len(files) - len(problems)} of {len(files)} pictures '
          f'into {args.out_dir}')
    if problems:
        sys.exit('\n'.join(problems))


def write(predictor: Predictor, file: Path, stem: Path) -> None:
    result = predictor(file)
    if not isinstance(result, np.ndarray):
        dump({name: part.tolist() for name, part in result._asdict().items()},
             f'{stem}.json')
        return
    picture = Image.fromarray(result.astype(np.uint8), 'P')
    picture.putpalette([part for color in predictor.palette for part in color])
    picture.save(f'{stem}.png')


if __name__ == '__main__':
    main()

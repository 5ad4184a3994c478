# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
r"""Write a trained model to an ONNX or torch.export file.

    python tools/deployment/export.py CONFIG CHECKPOINT model.onnx \
        --images street1.png street2.png
    python tools/deployment/export.py --model NAME model.onnx --images ...

The file is compared with the model on the images and written if the
predictions agree; it needs neither config nor checkpoint any more:
tools/deployment/predict.py runs it. With

    --precision int8 --calibration TRAINING_PICTURES

it computes in integers; mIoU before and after, on --max-images of the config's
labelled test images, or the agreement on --images where there are none, is
printed with the layers that stay in float for it.
"""
import argparse
import os.path as osp
import sys
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn

SUFFIXES = dict(onnx='.onnx', torch='.pt2')


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config', nargs='?', help='config file of the model')
    parser.add_argument(
        'checkpoint', nargs='?', help='its weights, a file or a URL')
    parser.add_argument('out', help='file to write, .onnx or .pt2')
    parser.add_argument(
        '--model',
        help='in the place of CONFIG and CHECKPOINT: a name of '
        'mmhires.list_models(), whose published weights are downloaded')
    parser.add_argument(
        '--images',
        nargs='+',
        help='pictures or directories of them to compare on; the first '
        'decides the size of the input')
    parser.add_argument(
        '--max-images',
        type=int,
        default=8,
        help='compare on no more than that (default: %(default)s)')
    parser.add_argument(
        '--format',
        choices=SUFFIXES,
        help='default: what the suffix of OUT says')
    parser.add_argument(
        '--precision',
        choices=('fp32', 'fp16', 'bf16', 'int8'),
        default='fp32',
        help='of the weights and of computing (default: %(default)s)')
    parser.add_argument(
        '--calibration',
        help='for int8: directory of pictures like those to come, of which '
        '32 show how large the maps of the network get')
    parser.add_argument(
        '--dynamic', action='store_true', help='take any size of image')
    parser.add_argument(
        '--batch',
        action='store_true',
        help='take several images at once, .onnx only')
    parser.add_argument(
        '--labels',
        action='store_true',
        help='resize to the image and argmax are part of the file, whose '
        'output is (N, H, W), uint8; for images of the size of the first')
    parser.add_argument(
        '--opset', type=int, default=17, help='of ONNX (default: %(default)s)')
    args = parser.parse_intermixed_args()
    if not args.config and not args.model:
        parser.error('give CONFIG and CHECKPOINT, or --model NAME')
    return args


def main() -> None:
    args = parse_args()
    # After --help, as these take seconds.
    from mmhires.utils.configs import config_files
    from mmhires.utils.files import refuse_overwriting
    from mmhires.utils.inputs import find_inputs
    from mmhires.zoo import load_model
    try:
        if args.format and not args.out.lower().endswith(
                SUFFIXES[args.format]):
            raise ValueError(f'{args.out}: a file of --format {args.format} '
                             f'ends in {SUFFIXES[args.format]}')
        refuse_overwriting([args.out], [
            args.checkpoint or '',
            *(config_files(args.config) if args.config else ())
        ])
        with tempfile.TemporaryDirectory() as folder:
            images = [
                file for path in args.images or [draw_street(folder)]
                for file in find_inputs(path)
            ][:args.max_images]
            print(f'load {args.model or args.checkpoint}', file=sys.stderr)
            model = load_model(args.model or args.config, args.checkpoint,
                               'cpu')
            print(f'export {args.out}', file=sys.stderr)
            if args.precision == 'int8':
                said = export_int8(model, args, images, folder)
            else:
                said = export_float(model, args, images, args.out)
    except (ImportError, OSError, ValueError) as error:
        sys.exit(f'export.py: {error}')
    print(f'{args.out}: {osp.getsize(args.out) / 2**20:.1f} MiB; {said}')


def progress(items: Sequence) -> Iterable:
    """Items as they are gone through, with a progress bar on stderr."""
    from mmengine.utils import track_iter_progress
    return track_iter_progress(items, file=sys.stderr)


def export_float(model: 'nn.Module', args: argparse.Namespace, images: list,
                 out: str | Path) -> str:
    """Export; how far the file agrees, in words."""
    from mmhires.deploy import export
    results = export(
        model,
        out,
        images,
        precision='fp32' if args.precision == 'int8' else args.precision,
        dynamic=args.dynamic,
        opset=args.opset,
        track=progress,
        batch=args.batch,
        labels=args.labels)
    worst = min(result.share for result in results)
    text = (f'as the model on {worst:.4%} or more of each of {len(results)} '
            'images')
    uncertain = sum(result.uncertain for result in results)
    return f'{text}, but for {uncertain} keypoints of which its heatmaps ' \
        'have several peaks of one height' if uncertain else text


def export_int8(model: 'nn.Module', args: argparse.Namespace, images: list,
                folder: str) -> str:
    """Export in fp32, then quantize; what that did, in words."""
    from mmhires.deploy.quantize import make_score, quantize
    from mmhires.utils.files import refuse_overwriting
    from mmhires.utils.inputs import find_inputs
    if not args.calibration or not args.out.lower().endswith('.onnx'):
        raise ValueError('--precision int8 needs --calibration DIRECTORY, and '
                         'writes .onnx')
    pictures = find_inputs(args.calibration)
    refuse_overwriting([args.out], pictures + images)
    pictures = pictures[::-(-len(pictures) // 32)]
    floats = Path(folder) / 'float.onnx'
    export_float(model, args, images, floats)
    name, score = make_score(model, images, args.max_images)
    limit = 0.5 if name == 'mIoU' else 1
    before, after, kept = quantize(floats, args.out, pictures, score, limit,
                                   progress)
    text = f'{name} {before:.2f} before, {after:.2f} in int8'
    return f'{text}; in float for that: {", ".join(kept)}' if kept else text


def draw_street(folder: str) -> str:
    """A drawn street, for want of images to compare on."""
    from mmhires.datasets import StreetsDataset
    from mmhires.utils.images import write_image
    print(
        'export.py: no --images: compared on one drawn street only',
        file=sys.stderr)
    scene = StreetsDataset(size=(256, 512), length=1, pipeline=[])[0]
    file = str(Path(folder) / 'street.png')
    write_image(scene['img'], file)
    return file


if __name__ == '__main__':
    main()

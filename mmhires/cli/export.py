# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
r"""Write a trained model to an ONNX or torch.export file.

    mmhires export CONFIG CHECKPOINT model.onnx --images PICTURES
    mmhires export --model NAME model.onnx --images ...

The file is compared with the model on the images and written if the
predictions agree; it needs neither config nor checkpoint any more: `mmhires
predict` runs it. With

    --precision int8 --calibration TRAINING_PICTURES

it computes in integers; mIoU before and after, on --max-images of the config's
labelled test images, or the agreement on --images where there are none, is
printed with the layers that stay in float for it.
"""

import argparse
import os.path as osp
import sys
import tempfile

from mmhires.deploy.formats import FORMATS

from .options import add_model, load_model

SUFFIXES = {form.name: suffix for suffix, form in FORMATS.items()}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of :func:`run`."""
    add_model(parser)
    add = parser.add_argument
    add('out', help=f'file to write, {" or ".join(FORMATS)}')
    add(
        '--images',
        nargs='+',
        help='pictures or directories of them to compare on; the first '
        'decides the size of the input',
    )
    add('--max-images', type=int, default=8, help='compare on no more')
    add('--format', choices=SUFFIXES, help='default: what the suffix of OUT says')
    precisions = ('fp32', 'fp16', 'bf16', 'int8')
    add('--precision', choices=precisions, default='fp32', help='of the weights and of computing')
    add(
        '--calibration',
        help='for int8: directory of pictures like those to come, of which '
        '32 show how large the maps of the network get',
    )
    add('--dynamic', action='store_true', help='take any size of image')
    add('--batch', action='store_true', help='take several images at once, .onnx only')
    add(
        '--labels',
        action='store_true',
        help='resize to the image and argmax are part of the file, whose '
        'output is (N, H, W), uint8; for images of the size of the first',
    )
    add('--opset', type=int, default=17, help='of ONNX')


def run(args: argparse.Namespace) -> None:
    """Export, and print how well the file agrees with the model."""
    from mmhires.apis.exporting import draw_street, export_float, export_int8
    from mmhires.utils.configs import config_files
    from mmhires.utils.files import refuse_overwriting
    from mmhires.utils.inputs import find_inputs

    if args.format and not args.out.lower().endswith(SUFFIXES[args.format]):
        raise ValueError(
            f'{args.out}: a file of --format {args.format} ends in {SUFFIXES[args.format]}'
        )
    refuse_overwriting(
        [args.out], [args.checkpoint or '', *(config_files(args.config) if args.config else ())]
    )
    with tempfile.TemporaryDirectory() as folder:
        images = [
            file for path in args.images or [draw_street(folder)] for file in find_inputs(path)
        ][: args.max_images]
        sys.stderr.write(f'load {args.model or args.checkpoint}\n')
        model = load_model(args, 'cpu')
        sys.stderr.write(f'export {args.out}\n')
        is_int8 = args.precision == 'int8'
        write, where = (export_int8, folder) if is_int8 else (export_float, args.out)
        said = write(model, args, images, where)
    sys.stdout.write(f'{args.out}: {osp.getsize(args.out) / 2**20:.1f} MiB; {said}\n')

# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
r"""Draw features of several segmentors side by side.

    mmhires features PICTURE --model BASELINE.py BASELINE.pth \
        --model DSRL.py DSRL.pth

Without names of modules after the checkpoint, each model shows its final
segmentation features and, with DSRL, those of the super-resolution branch, as
the figures 3 and 5 of DSRL's paper. NAME:in is what module NAME is given.
"""

import argparse
import re
import sys
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of :func:`run`."""
    add = parser.add_argument
    add('picture', help='full-size image')
    add(
        '--model',
        nargs='+',
        action='append',
        required=True,
        metavar=('CONFIG CHECKPOINT', 'MODULE'),
        help='config, checkpoint and, optionally, names of modules; once for each model',
    )
    add('--out', default='feature_maps.png', help='picture to write')
    kinds = ['squeeze_mean', 'select_max']
    add('--reduction', default=kinds[0], choices=kinds, help='of the channels')
    add('--device', default='auto', help="'cpu', 'cuda:0', ...")


def run(args: argparse.Namespace) -> None:
    """Draw the picture."""
    if any(len(model) < 2 for model in args.model):
        raise ValueError('--model needs a config and a checkpoint')
    from mmhires.analysis.feature_maps import capture_features, default_layers, draw_feature_maps
    from mmhires.analysis.figures import save_figure
    from mmhires.utils.configs import config_files
    from mmhires.utils.files import refuse_overwriting
    from mmhires.utils.images import read_image
    from mmhires.zoo import load_model

    read = [args.picture]
    for config, checkpoint, *_ in args.model:
        read += [checkpoint, *config_files(config)]
    refuse_overwriting([args.out], read)
    image = read_image(args.picture)
    features = []
    for config, checkpoint, *layers in args.model:
        model = load_model(config, checkpoint, args.device)
        # Without schedule and data.
        name = re.split(r'_\d+xb', Path(config).stem)[0]
        captured = capture_features(model, image, layers or default_layers(model))
        features.extend((f'{name}\n{layer}', maps) for layer, maps in captured.items())
    Path(args.out).parent.mkdir(parents=True, exist_ok=True)
    figure = draw_feature_maps(image, features, args.reduction)
    save_figure(figure, args.out, dpi=150, bbox_inches='tight')
    sys.stdout.write(f'drew {len(features)} maps into {args.out}\n')

# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
r"""Draw features of segmentors beside each other.

    python tools/analysis_tools/feature_maps.py PICTURE \
        --model BASELINE.py BASELINE.pth --model DSRL.py DSRL.pth

Without names of modules after the checkpoint, each model shows its final
segmentation features and, with DSRL, those of the super-resolution branch, as
the figures 3 and 5 of DSRL's paper. ``NAME:in`` is what module NAME is given.
"""
import argparse
import re
import sys
from pathlib import Path


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Draw features of segmentors')
    parser.add_argument('picture', help='full-size image')
    parser.add_argument(
        '--model',
        nargs='+',
        action='append',
        required=True,
        metavar=('CONFIG CHECKPOINT', 'MODULE'),
        help='config, checkpoint and, optionally, names of modules; once for '
        'each model')
    parser.add_argument('--out', default='feature_maps.png')
    parser.add_argument(
        '--reduction',
        default='squeeze_mean',
        choices=['squeeze_mean', 'select_max'],
        help='of the channels (default: %(default)s)')
    parser.add_argument('--device', default='auto')
    args = parser.parse_args()
    if any(len(model) < 2 for model in args.model):
        parser.error('--model needs a config and a checkpoint')
    return args


def main() -> None:
    args = parse_args()
    # After --help, as these take seconds.
    from mmhires.analysis.feature_maps import (
        capture_features,
        default_layers,
        draw_feature_maps,
    )
    from mmhires.analysis.figures import save_figure
    from mmhires.utils.configs import config_files
    from mmhires.utils.files import refuse_overwriting
    from mmhires.utils.images import read_image
    from mmhires.zoo import load_model
    try:
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
            captured = capture_features(model, image, layers
                                        or default_layers(model))
            features.extend(
                (f'{name}\n{layer}', maps) for layer, maps in captured.items())
    except (OSError, ValueError) as error:
        sys.exit(f'feature_maps.py: {error}')
    Path(args.out).parent.mkdir(parents=True, exist_ok=True)
    figure = draw_feature_maps(image, features, args.reduction)
    try:
        save_figure(figure, args.out, dpi=150, bbox_inches='tight')
    except (OSError, ValueError) as error:
        sys.exit(f'feature_maps.py: {error}')
    print(f'drew {len(features)} maps into {args.out}')


if __name__ == '__main__':
    main()

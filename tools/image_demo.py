# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Paint a segmentor's prediction over a picture, a directory or a video."""
import argparse
import sys

from mmhires.apis.overlay import find_inputs, load_model, make_painter, overlay


def parse_args():
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        'input', help='a picture, a directory of pictures or a video')
    parser.add_argument('config', help='config file of the model')
    parser.add_argument('checkpoint', help='its weights, a file or a URL')
    parser.add_argument(
        '--out-dir',
        default='demo_out',
        help='where the painted files go, under the same names '
        '(default: %(default)s)')
    parser.add_argument(
        '--opacity',
        type=float,
        default=0.5,
        help='of the colours, in (0, 1] (default: %(default)s)')
    parser.add_argument(
        '--with-labels',
        action='store_true',
        help='write the class names too; slow on large pictures')
    parser.add_argument(
        '--device',
        default='auto',
        help="'cpu', 'cuda:0', ...; 'auto' takes a GPU if there is one "
        '(default: %(default)s)')
    return parser.parse_args()


def main():
    """Run the demo."""
    args = parse_args()
    try:
        files = find_inputs(args.input)
        model = load_model(args.config, args.checkpoint, args.device)
        paint = make_painter(model, args.opacity, args.with_labels)
        problems = overlay(paint, files, args.out_dir)
    except (FileNotFoundError, ValueError) as error:
        sys.exit(f'image_demo.py: {error}')
    print(f'painted {len(files) - len(problems)} of {len(files)} files into '
          f'{args.out_dir}')
    if problems:
        sys.exit('\n'.join(f'image_demo.py: {line}' for line in problems))


if __name__ == '__main__':
    main()

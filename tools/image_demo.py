# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
r"""Paint a segmentor's prediction over a picture, a directory or a video.

    python tools/image_demo.py street.jpg --model ddrnet-23-slim_cityscapes
    python tools/image_demo.py street.jpg CONFIG CHECKPOINT
"""
import argparse
import sys


def parse_args():
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        'input', help='a picture, a directory of pictures or a video')
    parser.add_argument('config', nargs='?', help='config file of the model')
    parser.add_argument(
        'checkpoint', nargs='?', help='its weights, a file or a URL')
    parser.add_argument(
        '--model',
        help='in the place of both: a name of mmhires.list_models(), whose '
        'published weights are downloaded')
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
    args = parser.parse_intermixed_args()
    if not args.config and not args.model:
        parser.error('give CONFIG and CHECKPOINT, or --model NAME')
    return args


def main():
    """Run the demo."""
    args = parse_args()
    # After --help, as these take seconds.
    from mmhires.apis.overlay import find_inputs, make_painter, overlay
    from mmhires.zoo import load_model
    try:
        files = find_inputs(args.input)
        model = load_model(args.model or args.config, args.checkpoint,
                           args.device)
        paint = make_painter(model, args.opacity, args.with_labels)
        problems = overlay(paint, files, args.out_dir)
    except (ImportError, OSError, ValueError) as error:
        sys.exit(f'image_demo.py: {error}')
    print(f'painted {len(files) - len(problems)} of {len(files)} files into '
          f'{args.out_dir}')
    if problems:
        sys.exit('\n'.join(f'image_demo.py: {line}' for line in problems))


if __name__ == '__main__':
    main()

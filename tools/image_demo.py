# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
r"""Paint a model's prediction over pictures or a video.

    python tools/image_demo.py street.jpg --model ddrnet-23-slim_cityscapes
    python tools/image_demo.py street.jpg CONFIG CHECKPOINT
    python tools/image_demo.py people.jpg CONFIG CHECKPOINT --boxes boxes.json

Of a segmentor it paints the classes, of a top-down pose estimator the
skeletons of the persons in the boxes, or of one who fills the picture.
"""
import argparse
import sys


def parse_args():
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        'input',
        help='a picture or a video, a directory of pictures (those of '
        "directories within too), a pattern ('streets/*/*.png'), the address "
        'of a stream (rtsp://..., http://...) or the number of a camera, '
        'which Ctrl-C ends')
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
        help='where the painted files go, in the same directories and under '
        'the same names (default: %(default)s)')
    parser.add_argument(
        '--boxes',
        help='JSON of the persons: a list of x1, y1, x2, y2 for all pictures, '
        'or an object of such lists by names of pictures')
    parser.add_argument(
        '--opacity',
        type=float,
        help='of the colours, in (0, 1] (default: 0.5, of skeletons 1)')
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
    from mmhires.apis.overlay import make_painter, overlay
    from mmhires.utils.boxes import BoxFile
    from mmhires.utils.inputs import list_inputs
    from mmhires.zoo import load_model
    try:
        inputs = list_inputs(args.input, leave_out=args.out_dir)
        boxes = BoxFile(args.boxes) if args.boxes else None
        model = load_model(args.model or args.config, args.checkpoint,
                           args.device)
        paint = make_painter(model, args.opacity, args.with_labels)
        problems = overlay(paint, inputs, args.out_dir, boxes)
    except (ImportError, OSError, ValueError) as error:
        sys.exit(f'image_demo.py: {error}')
    print(f'painted {len(inputs) - len(problems)} of {len(inputs)} files into '
          f'{args.out_dir}')
    if problems:
        sys.exit('\n'.join(f'image_demo.py: {line}' for line in problems))


if __name__ == '__main__':
    main()

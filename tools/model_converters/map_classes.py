# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
r"""Write a checkpoint whose classifiers are for another data set's classes.

    python tools/model_converters/map_classes.py cityscapes.pth camvid.pth \
        --class-map configs/_base_/class_maps/cityscapes_to_camvid.py \
        --dataset mmhires.CamVidDataset
"""
import argparse
import sys


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description='Map the classifiers of a checkpoint to other classes')
    parser.add_argument('src', help='checkpoint to read')
    parser.add_argument('dst', help='checkpoint to write')
    parser.add_argument(
        '--class-map', required=True, help='config file with a class_map')
    parser.add_argument(
        '--dataset', required=True, help='registered, for its classes')
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    # After --help, as these take seconds.
    from mmengine.config import Config

    from mmhires.converters import map_classes
    from mmhires.registry import DATASETS
    from mmhires.utils.checkpoints import write_checkpoint
    from mmhires.utils.configs import config_files
    from mmhires.utils.files import refuse_overwriting
    from mmhires.zoo.load import read_checkpoint
    dataset = DATASETS.get(args.dataset)
    if dataset is None:
        sys.exit(f'error: {args.dataset} is not in the dataset registry')
    try:
        refuse_overwriting([args.dst],
                           [args.src, *config_files(args.class_map)])
        weights = map_classes(
            read_checkpoint(args.src)[0],
            Config.fromfile(args.class_map).class_map,
            dataset.METAINFO['classes'])
        meta = dict(dataset_meta=dict(dataset.METAINFO))
        write_checkpoint(dict(state_dict=weights, meta=meta), args.dst)
    except (AttributeError, KeyError, OSError, ValueError) as error:
        # str() of a KeyError is quoted.
        reason = error.args[0] if isinstance(error, KeyError) else error
        sys.exit(f'error: {reason}')
    print(f'{args.dst}: {len(weights)} tensors for '
          f'{len(dataset.METAINFO["classes"])} classes')


if __name__ == '__main__':
    main()

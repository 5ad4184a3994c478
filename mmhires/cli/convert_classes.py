# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
r"""Write a checkpoint whose classifiers predict another data set's classes.

    mmhires convert classes cityscapes.pth camvid.pth \
        --class-map configs/_base_/class_maps/cityscapes_to_camvid.py \
        --dataset mmhires.CamVidDataset
"""

import argparse
import sys


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of :func:`run`."""
    add = parser.add_argument
    add('src', help='checkpoint to read')
    add('dst', help='checkpoint to write')
    add('--class-map', required=True, help='config file with a class_map')
    add('--dataset', required=True, help='registered, for its classes')


def run(args: argparse.Namespace) -> None:
    """Map the classifiers to the new classes."""
    from mmengine.config import Config

    from mmhires.converters import map_classes
    from mmhires.registry import DATASETS
    from mmhires.utils.checkpoints import write_checkpoint
    from mmhires.utils.configs import config_files
    from mmhires.utils.files import refuse_overwriting
    from mmhires.zoo.load import read_checkpoint

    dataset = DATASETS.get(args.dataset)
    if dataset is None:
        raise ValueError(f'{args.dataset} is not in the dataset registry')
    refuse_overwriting([args.dst], [args.src, *config_files(args.class_map)])
    try:
        class_map = Config.fromfile(args.class_map).class_map
        old = read_checkpoint(args.src)[0]
        weights = map_classes(old, class_map, dataset.METAINFO['classes'])
    except (AttributeError, KeyError) as error:
        raise ValueError(error.args[0]) from error  # str() of one is quoted
    meta = dict(dataset_meta=dict(dataset.METAINFO))
    write_checkpoint(dict(state_dict=weights, meta=meta), args.dst)
    sys.stdout.write(
        f'{args.dst}: {len(weights)} tensors for {len(dataset.METAINFO["classes"])} classes\n'
    )

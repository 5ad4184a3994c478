# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Sizes that a config says in more than one place."""
from collections.abc import Mapping

from .problem import Problems
from .walk import first, walk

DEFAULT_SIZE = (256, 256)


def training_size(cfg) -> tuple[int, int]:
    """Height and width of training images, where the config says them."""
    codec = cfg.get('codec')
    if isinstance(codec, Mapping) and 'input_size' in codec:
        return tuple(codec['input_size'])[::-1]
    dataset = (cfg.get('train_dataloader') or {}).get('dataset') or {}
    while 'dataset' in dataset:
        dataset = dataset['dataset']
    preprocessor = cfg.model.get('data_preprocessor') or {}
    crop = first(dataset.get('pipeline'), 'crop_size')
    sizes = crop, dataset.get('size'), preprocessor.get('size'), DEFAULT_SIZE
    size = next(filter(None, sizes))
    return (size, size) if isinstance(size, int) else tuple(size)


def check_sizes(problems: Problems, cfg) -> None:
    """Compare crops with padding, and the data preprocessor with the head.

    Args:
        problems (Problems): What is found is added.
        cfg (Config): The whole config.
    """
    preprocessor = cfg.model.get('data_preprocessor') or {}
    pad, size = preprocessor.get('size'), training_size(cfg)
    if isinstance(pad, int):
        problems.add('size', 'model.data_preprocessor.size', f'{pad}',
                     f'give height and width, such as {size}')
    elif pad and any(side > limit for side, limit in zip(size, pad)):
        problems.add(
            'size', 'model.data_preprocessor.size',
            f'{tuple(pad)}, but training images are {size}: padding makes '
            'nothing smaller', f'set it to {size} or more')
    reducing = 'LowRes' in str(preprocessor.get('type'))
    scale = preprocessor.get('scale', 2) if reducing else 1
    for key, head in walk('model', cfg.model, ('teacher', )):
        if 'DSRL' in str(head.get('type')) and head.get('scale', 2) != scale:
            problems.add(
                'size', 'model.data_preprocessor.scale',
                f'images are reduced by {scale}, but {key}.scale is '
                f'{head.get("scale", 2)}', 'give the mmhires data '
                'preprocessor and the head one scale')

# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Training samples drawn at random, taken through a config's own pipeline."""

import copy
import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import product

import numpy as np
import torch
from mmengine.config import Config
from mmengine.dataset import Compose, pseudo_collate
from mmengine.structures import PixelData

from .attempts import attempt
from .config_tree import first, is_topdown, training_size

SIZE = 512, 1024
# Side of the squares of one class in a drawn label.
SQUARE = 32
# An image as the files of most data sets hold it.
COLOURS = 3


def draw_batch(
    cfg: Config,
    meta: dict,
    channels: int = COLOURS,
    count: int = 2,
    limit: int | None = None,
    pad: tuple[int, int] | None = None,
) -> dict | None:
    """Draw what a data loader would give the model, without any file.

    Transforms that load are left out, and those that cannot be built; the others are the config's.

    Args:
        cfg: The whole config.
        meta: Meta information of the training data.
        channels: Channels of the images that the model takes.
        count: Number of images.
        limit: Crop images of segmentation, as :func:`reduced_size` says.
        pad: Size that the data preprocessor pads images to. Images are cropped as that is, so that
            the batch is what it stands for.

    Returns:
        ``inputs`` and ``data_samples`` of the images; None where the config trains in a way that
        random people do not fit.
    """
    scope, size = cfg.get('default_scope'), training_size(cfg)
    if scope == 'mmpretrain':
        return _classified(size, channels, count)
    if scope == 'mmpose' and not is_topdown(cfg.model):
        return None
    steps = first(cfg.get('train_dataloader'), 'pipeline')
    pipelines = [steps] if isinstance(steps, (list, tuple)) and steps else []
    # Where nothing is loaded, the data set draws images of its own size.
    drawn = SIZE
    if scope == 'mmseg':
        loads = any(map(_loads, pipelines[0])) if pipelines else False
        drawn = SIZE if loads else size
        pipelines.append([dict(type='Resize', scale=tuple(size[::-1])), dict(type='PackSegInputs')])
    # Two images that are compared make one of twice the channels.
    for pipeline, width in product(pipelines, dict.fromkeys((channels, COLOURS))):
        samples = take_through(pipeline, meta, width, count, drawn)
        if samples and len(samples[0].get('inputs', ())) == channels:
            if limit is not None and scope == 'mmseg':
                padded = pad or samples[0]['inputs'].shape[-2:]
                samples = [cropped(sample, reduced_size(padded, limit)) for sample in samples]
            return pseudo_collate(samples)
    return None


def take_through(
    steps: Sequence[dict], meta: dict, channels: int, count: int = 1, size: tuple[int, int] = SIZE
) -> list[dict]:
    """Take drawn images, of classes or of a person, through a pipeline.

    Args:
        steps: Transforms of a config; those that load are left out.
        meta: Meta information of the data.
        channels: Channels of the drawn images.
        count: Number of images.
        size: Height and width of the drawn images.

    Returns:
        A sample of each image; empty where the pipeline does not take them.
    """
    draw = _with_keypoints if 'num_keypoints' in meta else _segmented
    transforms = _built([step for step in steps if not _loads(step)])
    with attempt(f'a pipeline on a drawn image of {channels} channels'), _fixed_seed():
        return [transforms(draw(meta, channels, size)) for _ in range(count)]
    return []


def _loads(step: dict) -> bool:
    return 'Load' in str(step.get('type'))


@contextmanager
def _fixed_seed() -> Iterator[None]:
    """Make random numbers the same in each check, and leave others alone."""
    state, of_numpy = random.getstate(), np.random.get_state()
    random.seed(0)
    np.random.seed(0)
    try:
        yield
    finally:
        random.setstate(state)
        np.random.set_state(of_numpy)


def _built(steps: list) -> Compose:
    """Build the transforms that can be built."""
    transforms = []
    for step in steps:  # of the others the check of the data tells
        with attempt(f'the transform {step.get("type")}'):
            transforms.append(Compose([copy.deepcopy(step)]))
    return Compose(transforms)


def reduced_size(size: Sequence[int], limit: int) -> tuple[int, int]:
    """Make a height and width smaller than a limit by multiples of 64."""
    height, width = (min(side, limit - 64 + side % 64) for side in size)
    return height, width


def cropped(sample: dict, size: tuple[int, int]) -> dict:
    """Cut the corner out of a packed sample, with all its maps.

    Args:
        sample: ``inputs`` and ``data_samples``.
        size: Height and width, at most.

    Returns:
        A new sample.
    """
    height, width = map(min, sample['inputs'].shape[-2:], size)
    data_sample = sample['data_samples'].clone()
    for name, field in data_sample.items():
        if isinstance(field, PixelData):
            data_sample.set_data({name: field[:height, :width]})
    data_sample.set_metainfo(dict(img_shape=(height, width)))
    return dict(inputs=sample['inputs'][..., :height, :width], data_samples=data_sample)


def _image(channels: int, size: tuple[int, int]) -> dict:
    # A loader of grey images gives no axis of channels.
    shape = size if channels == 1 else (*size, channels)
    image = np.random.randint(0, 256, shape, dtype=np.uint8)
    return dict(
        img=image,
        img2=image,  # for the detection of changes
        img_shape=size,
        ori_shape=size,
        img_path='drawn',
        img_id=0,
    )


def _segmented(meta: dict, channels: int, size: tuple[int, int]) -> dict:
    """An image of squares of all classes; all of depth 1."""
    classes = len(meta.get('classes') or range(2))
    squares = np.random.randint(0, classes, [side // SQUARE + 1 for side in size])
    label = squares.astype(np.uint8).repeat(SQUARE, 0).repeat(SQUARE, 1)
    return dict(
        _image(channels, size),
        gt_seg_map=label[: size[0], : size[1]],
        gt_depth_map=np.ones(size, np.float32),
        seg_map_path='drawn',
        seg_fields=['gt_seg_map', 'gt_depth_map'],
        reduce_zero_label=False,
        label_map=None,
    )


def _with_keypoints(meta: dict, channels: int, size: tuple[int, int]) -> dict:
    """A person that fills a part of the image."""
    keypoints = meta['num_keypoints']
    low, high = np.array([[400, 100], [600, 400]])
    points = np.random.uniform(low, high, (1, keypoints, 2))
    return dict(
        _image(channels, size),
        **meta,
        id=0,
        category_id=1,
        bbox=np.array([[*low, *high]], np.float32),
        bbox_score=np.ones(1, np.float32),
        keypoints=points.astype(np.float32),
        keypoints_visible=np.ones((1, keypoints), np.float32),
        area=np.float32(60000),
        iscrowd=0,
        head_size=np.array([[60.0]], np.float32),
    )


def _classified(size: tuple[int, int], channels: int, count: int) -> dict:
    from mmpretrain.structures import DataSample

    return dict(
        inputs=torch.randint(0, 256, (count, channels, *size)),
        data_samples=[DataSample().set_gt_label(0) for _ in range(count)],
    )

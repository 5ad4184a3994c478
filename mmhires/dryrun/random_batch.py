# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Training samples drawn at random, taken through a config's own pipeline."""

import copy
import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import product

import numpy as np
from mmengine.config import Config
from mmengine.dataset import Compose, pseudo_collate
from mmengine.structures import PixelData

from mmhires.tasks import Task, find_task

from .attempts import attempt
from .config_tree import first, training_size

SIZE = 512, 1024
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
        limit: Crop images of tasks that take any size, as :func:`reduced_size` says.
        pad: Size that the data preprocessor pads images to. Images are cropped as that is, so that
            the batch is what it stands for.

    Returns:
        ``inputs`` and ``data_samples`` of the images; None where the config trains in a way that
        random people do not fit.
    """
    task, size = find_task(cfg), training_size(cfg)
    if not task.suits_drawn_images(cfg.model):
        return None
    steps = first(cfg.get('train_dataloader'), 'pipeline')
    pipelines = task.pipelines(steps if isinstance(steps, (list, tuple)) else [], size)
    # Where nothing is loaded, the data set draws images of its own size.
    loads = any(_loads(step) for steps in pipelines[:1] for step in steps)
    drawn = SIZE if loads else size
    # Two images that are compared make one of twice the channels.
    for pipeline, width in product(pipelines, dict.fromkeys((channels, COLOURS))):
        samples = take_through(task, pipeline, meta, width, count, drawn)
        if samples and len(samples[0].get('inputs', ())) == channels:
            if limit is not None and not task.crops:
                padded = pad or samples[0]['inputs'].shape[-2:]
                samples = [cropped(sample, reduced_size(padded, limit)) for sample in samples]
            return pseudo_collate(samples)
    return None


def take_through(
    task: Task,
    steps: Sequence[dict],
    meta: dict,
    channels: int,
    count: int = 1,
    size: tuple[int, int] = SIZE,
) -> list[dict]:
    """Take images that a task draws through a pipeline.

    Args:
        task: Of the pipeline.
        steps: Transforms of a config; those that load are left out.
        meta: Meta information of the data.
        channels: Channels of the drawn images.
        count: Number of images.
        size: Height and width of the drawn images.

    Returns:
        A sample of each image; empty where the pipeline does not take them.
    """
    transforms = _built([step for step in steps if not _loads(step)])
    with attempt(f'a pipeline on a drawn image of {channels} channels'), _fixed_seed():
        return [transforms(task.draw(meta, channels, size)) for _ in range(count)]
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

# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Test images as the validation gives them, and a prediction of each."""
import copy
from collections.abc import Iterator
from fractions import Fraction

import numpy as np
from mmengine.dataset import pseudo_collate
from torch import nn

from mmhires.utils.ratio import full_step

from . import probe
from .drawn import cropped, reduced_size, take_through
from .problem import Problem, named
from .samples import Samples
from .walk import first

# Sides that are multiples of these suit networks of five halvings, and six.
DIVISORS = (32, 64)


def test_batches(cfg, meta: dict, channels: int,
                 samples: Samples) -> list[dict]:
    """Images or crops as validation and test give them, one each.

    Args:
        cfg (Config): The whole config.
        meta: Meta information of the data.
        channels: Of the images that the model takes.
        samples: What the data sets give.

    Returns:
        Batches of one image, of the data sets where their files are there,
        otherwise drawn; none where the config tests neither segmentation nor
        the pose of one person.
    """
    if cfg.default_scope != 'mmseg' and not probe.is_topdown(cfg.model):
        return []
    batches = [
        pseudo_collate([sample]) for sample in samples.of('val', 'test')
        if len(sample['inputs']) == channels
    ]
    for split in ('val', 'test'):
        steps = first(cfg.get(f'{split}_dataloader'), 'pipeline')
        if not batches and isinstance(steps, (list, tuple)) and any(
                'Load' in str(step.get('type')) for step in steps):
            drawn = take_through(steps, meta, channels)
            batches += [] if drawn is None else [drawn]
    test_cfg = cfg.model.get('test_cfg') or {}
    if test_cfg.get('mode') == 'slide' and 'crop_size' in test_cfg:
        # Windows are of one size: a few of them stand for all.
        sides = [
            int(np.max(test_cfg.get(name, 0)))
            for name in ('crop_size', 'stride')
        ]
        return [small(batch, sum(sides) + 64) for batch in batches]
    return batches


def small(batch: dict, limit: int) -> dict:
    """A batch of one image, cut to sides of about a limit."""
    if not hasattr(batch['data_samples'][0], 'gt_sem_seg'):
        return batch
    sample = {name: values[0] for name, values in batch.items()}
    size = reduced_size(sample['inputs'].shape[-2:], limit)
    return pseudo_collate([cropped(sample, size)])


def predict_error(model: nn.Module, tests: list[dict]) -> Exception | None:
    """What the prediction of test images raises, if anything."""
    model.eval()
    for test in tests:
        try:
            data = model.data_preprocessor(copy.deepcopy(test), False)
            model(**data, mode='predict')
        except Exception as error:
            return error
    return None


def prediction_problems(model: nn.Module,
                        tests: list[dict]) -> Iterator[Problem]:
    """Predict test images of each size.

    Args:
        model: On the meta device, or small images.
        tests: Batches of one image.

    Yields:
        A problem for each size that fails.
    """
    for test in tests:
        error = predict_error(model, [test])
        if error is None:
            continue
        height, width = test['inputs'][0].shape[-2:]
        padded = hasattr(model.data_preprocessor, 'test_cfg')  # not for poses
        yield Problem('size', 'model.test_cfg' if padded else 'val_dataloader',
                      f'a test image of {height}x{width}: {named(error)}',
                      _remedy(model, test))


def crop_problems(model: nn.Module, tests: list[dict]) -> Iterator[Problem]:
    """Compare test crops of persons with the codec, which decodes any.

    Args:
        model: On the meta device.
        tests: Batches of one image.

    Yields:
        A problem for each other size.
    """
    decoder = getattr(getattr(model, 'head', None), 'decoder', None)
    decoded = getattr(decoder, 'input_size', None)
    for test in tests:
        crop = test['data_samples'][0].metainfo.get('input_size')
        if None not in (decoded, crop) and tuple(decoded) != tuple(crop):
            yield Problem(
                'size', 'val_dataloader', f'crops of {tuple(crop)} (width, '
                'height), but model.head.decoder has input_size='
                f'{tuple(decoded)}', 'give TopdownAffine that input_size')


def _remedy(model: nn.Module, test: dict) -> str:
    """The padding of test images with which a prediction works, if any."""
    preprocessor = model.data_preprocessor
    before = getattr(preprocessor, 'test_cfg', None)
    if not hasattr(preprocessor, 'test_cfg') or (before or {}).get('size'):
        return ''
    factor = getattr(preprocessor, 'factor', Fraction(1))
    try:
        for divisor in DIVISORS:
            step = full_step(factor, divisor)
            preprocessor.test_cfg = dict(before or {}, size_divisor=step)
            if predict_error(model, [test]) is None:
                return ('set model.data_preprocessor.test_cfg='
                        f'dict(size_divisor={step})')
    finally:
        preprocessor.test_cfg = before
    return ''

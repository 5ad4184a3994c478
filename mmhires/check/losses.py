# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Losses of segmentation, given every value that labels can have."""
from collections.abc import Iterator
from contextlib import contextmanager

import torch
import torch.nn.functional as F
from mmengine.registry import MODELS
from mmengine.structures import PixelData
from mmseg.models.decode_heads.decode_head import BaseDecodeHead
from torch import Tensor, nn
from torch.utils._pytree import tree_map_only

from . import probe
from .drawn import cropped
from .problem import Problem, attempt, named
from .samples import Samples
from .sizes import training_size
from .walk import each, first, part_of, walk

# Of labels; that of logits does not matter to a loss.
SIDE, LOGIT_SIDE = 64, 16
SHARP = 10.
IGNORED = 255


@contextmanager
def recorded_losses(model: nn.Module) -> Iterator[dict]:
    """Record what the heads give to their ``loss_by_feat``.

    Args:
        model: A segmentor.

    Yields:
        Arguments by the key of the head in the config, which a step of
        training fills.
    """
    calls, heads = {}, {}
    for name in ('decode_head', 'auxiliary_head'):
        for key, head in each(f'model.{name}', getattr(model, name, None)):
            if hasattr(head, 'loss_by_feat'):
                heads[key] = head
    for key, head in heads.items():
        loss_by_feat = head.loss_by_feat

        def record(*args, key=key, loss_by_feat=loss_by_feat, **kwargs):
            calls[key] = args, kwargs
            return loss_by_feat(*args, **kwargs)

        head.loss_by_feat = record
    try:
        yield calls
    finally:
        for head in heads.values():
            del head.loss_by_feat


def label_problems(cfg, calls: dict, batch: dict,
                   samples: Samples) -> Iterator[Problem]:
    """Give the losses of each head labels of all values that can occur.

    Only the losses run, on small random logits of the right form.

    Args:
        cfg (Config): The whole config.
        calls: What :func:`recorded_losses` yields.
        batch: What the data preprocessor got in the same step.
        samples: What the data sets give.

    Yields:
        Problems, and warnings where no label of the training was seen that
        holds the value in question.
    """
    segmented = [
        sample for sample in batch['data_samples']
        if hasattr(sample, 'gt_sem_seg')
    ]
    voids = _values_without_class(cfg, samples)
    for key, (args, kwargs) in calls.items():
        head = None
        with attempt(f'the losses of {key}'), probe.unallocated():
            head = MODELS.build(probe.without_weights(part_of(cfg.model, key)))
        if head is not None and segmented:
            yield from _head_problems(key, head, args, kwargs, segmented,
                                      voids)


def _head_problems(key: str, head: nn.Module, args: tuple, kwargs: dict,
                   samples: list, voids: dict[int, str]) -> Iterator[Problem]:

    def loss_of(label: Tensor, sharp: float = 0.) -> Tensor | Exception:
        try:
            losses = head.loss_by_feat(*_real(args, label, samples, sharp),
                                       **_real(kwargs, label, samples, sharp))
        except Exception as error:
            return error
        return sum(value.sum() for name, value in losses.items()
                   if 'loss' in name)

    classes = head.num_classes
    pattern = torch.arange(SIDE * SIDE).view(SIDE, SIDE)
    before = loss_of(torch.zeros_like(pattern))
    if isinstance(before, Exception):
        # Of the form of logits and labels here, not of the values.
        with attempt(f'the losses of {key} alone'):
            raise before
        return
    found = loss_of(pattern % classes)
    one_channel = getattr(head, 'out_channels', classes) == 1
    if isinstance(found, Exception):
        yield Problem(
            'classes', f'{key}.loss_decode',
            f'labels of class 0 to {classes - 1}: {named(found)}',
            'out_channels=1 goes with use_sigmoid=True' if one_channel else '')
        return
    halves = (pattern // SIDE * 2 // SIDE) % classes
    one, other = loss_of(pattern % min(classes, 2)), loss_of(halves)
    if classes > 1 and one == other != 0:
        yield Problem('classes', f'{key}.loss_decode',
                      f'the loss is {one:.4g} whatever the labels are',
                      'out_channels=1 goes with use_sigmoid=True')
    # Others make labels of their own.
    plain = type(head).loss_by_feat is BaseDecodeHead.loss_by_feat
    if one_channel and plain:
        right, wrong = loss_of(halves, SHARP), loss_of(halves, -SHARP)
        if right >= wrong:
            yield Problem(
                'classes', f'{key}.loss_decode',
                f'out_channels=1, but the loss is {right:.4g} where class 1 '
                f'is predicted rightly, and {wrong:.4g} where it is wrong',
                'take a loss of one channel, such as '
                'CrossEntropyLoss(use_sigmoid=True)')
    for value, evidence in voids.items():
        found = loss_of(pattern % classes * (pattern % 5 > 0) + value *
                        (pattern % 5 == 0))
        if value >= classes and isinstance(found, Exception):
            yield Problem(
                'labels', f'{key}.loss_decode',
                f'a label of {value}{evidence and f" ({evidence})"}: '
                f'{named(found)}', _remedy(head, value), not evidence)


def _real(tree, label: Tensor, samples: list, sharp: float):
    """Small random values for tensors, ``label`` for that of each sample.

    With ``sharp``, logits of a single channel are that much above and below 0
    as the label is 1 or 0.
    """
    generator = torch.Generator('cpu').manual_seed(0)

    def small(x: Tensor) -> Tensor:
        shape = list(x.shape)
        if x.ndim == 4:
            shape[2:] = [min(side, LOGIT_SIDE) for side in shape[2:]]
        if sharp and x.ndim == 4 and x.shape[1] == 1:
            return sharp * (
                F.interpolate(label[None, None].float(), shape[2:]) * 2 -
                1).expand(shape)
        if x.is_floating_point():
            return torch.rand(shape, generator=generator, device='cpu')
        return torch.zeros(shape, dtype=x.dtype, device='cpu')

    def with_label(sample):
        sample = cropped(
            dict(inputs=torch.zeros(3, SIDE, SIDE), data_samples=sample),
            (SIDE, SIDE))['data_samples']
        sample.set_data(dict(gt_sem_seg=PixelData(data=label[None])))
        return sample

    def replace(part):
        if isinstance(part, (list, tuple)) and part and isinstance(
                part[0], type(samples[0])):
            return [with_label(sample) for sample in samples]
        if isinstance(part, (list, tuple)):
            return type(part)(map(replace, part))
        if isinstance(part, dict):
            return {name: replace(value) for name, value in part.items()}
        return tree_map_only(Tensor, small, part)

    return replace(tree)


def _values_without_class(cfg, samples: Samples) -> dict[int, str]:
    """Values of labels that are not a class, and where they come from.

    Where they come from is empty if that is not known.
    """
    preprocessor = cfg.model.get('data_preprocessor') or {}
    pad = preprocessor.get('seg_pad_val', IGNORED)
    ignored = samples.ignored_in_training()
    values = {}
    if ignored or first(cfg.get('train_dataloader'), 'reduce_zero_label'):
        values[IGNORED] = 'training labels hold it'
    elif ignored is None:
        values[IGNORED] = ''
    if _pads(cfg):
        values[pad] = 'the data preprocessor pads labels with it'
    return values


def _pads(cfg) -> bool:
    """Whether the pipeline makes images smaller than what they are padded to.
    """
    preprocessor = cfg.model.get('data_preprocessor') or {}
    size = preprocessor.get('size')
    if not isinstance(size, (list, tuple)):
        return False
    steps = first(cfg.get('train_dataloader'), 'pipeline')
    sides = [training_size(cfg)]
    for _, step in walk('', steps):
        scale = step.get('scale')
        if isinstance(scale, (list, tuple)) and len(scale) == 2 and all(
                isinstance(side, int) for side in scale):
            ratio = min(step.get('ratio_range') or (1, ))
            sides.append(tuple(int(side * ratio) for side in scale[::-1]))
    return any(side < limit for pair in sides
               for side, limit in zip(pair, size))


def _remedy(head: nn.Module, value: int) -> str:
    if head.ignore_index != value:
        return (f'set ignore_index={value} in the head; its '
                f'{head.ignore_index} is another value')
    return ('mmhires.WeightedCrossEntropyLoss takes class_weight beside '
            'ignored pixels')

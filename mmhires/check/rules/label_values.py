# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Losses of segmentation, given every value that labels can have."""

from dataclasses import dataclass
from itertools import cycle
from typing import Any

import torch
import torch.nn.functional as F
from mmengine.config import Config
from mmengine.registry import MODELS
from mmengine.structures import PixelData
from mmseg.models.decode_heads.decode_head import BaseDecodeHead
from mmseg.structures import SegDataSample
from torch import Tensor, nn
from torch.utils._pytree import tree_map_only

from mmhires.dryrun.attempts import LOGGER, tried
from mmhires.dryrun.config_tree import first, part_of, training_size
from mmhires.dryrun.meta_device import Unallocated, without_weights
from mmhires.dryrun.random_batch import cropped
from mmhires.tasks import SEGMENTATION
from mmhires.utils.configs import walk
from mmhires.utils.errors import error_line

from ..context import Context
from ..finding import Finding, Findings

# Of labels; that of logits does not matter to a loss.
SIDE, LOGIT_SIDE = 64, 16
SHARP = 10.0
IGNORED = 255
PATTERN = torch.arange(SIDE * SIDE).view(SIDE, SIDE)


def findings(ctx: Context) -> Findings:
    """Give the losses of each head labels of all values that can occur.

    Only the losses run, on small random logits of the shape that a training step gave them. A
    warning where no label of the training was seen that holds the value in question.
    """
    if ctx.trial is None or ctx.trial.step.error:
        return
    samples = [
        sample for sample in ctx.trial.batch['data_samples'] if hasattr(sample, 'gt_sem_seg')
    ]
    inputs = ctx.trial.step.loss_inputs if samples else {}
    for key, (args, kwargs) in inputs.items():
        with Unallocated():
            head, error = tried(
                lambda cfg: MODELS.build(without_weights(cfg)), part_of(ctx.cfg, key)
            )
        if not error:
            loss = _Loss(key, head, args, kwargs, samples)
            # Of the form of logits and labels here, not of the values.
            error = loss.error(torch.zeros_like(PATTERN))
        if error:
            LOGGER.info('not tried: the losses of %s alone (%s)', key, error_line(error))
        else:
            yield from loss.findings(_values_without_class(ctx))


@dataclass
class _Loss:
    """Loss of a head with the arguments that a training step gave it."""

    key: str
    head: nn.Module
    args: tuple
    kwargs: dict
    samples: list[SegDataSample]

    def value(self, label: Tensor, sharp: float = 0.0) -> Tensor:
        losses = self.head.loss_by_feat(
            *_with_values(self.args, label, self.samples, sharp),
            **_with_values(self.kwargs, label, self.samples, sharp),
        )
        return sum(x.sum() for name, x in losses.items() if 'loss' in name)

    def error(self, label: Tensor) -> Exception | None:
        return tried(self.value, label)[1]

    def findings(self, voids: dict[int, str]) -> Findings:
        """Yield what is wrong with classes and, if they work, with voids.

        Args:
            voids: Where values come from that are not a class, by value.
        """
        key, classes = f'{self.key}.{SEGMENTATION.loss}', self.head.num_classes
        one_channel = getattr(self.head, 'out_channels', classes) == 1
        error = self.error(PATTERN % classes)
        if error:
            yield Finding(
                'classes',
                key,
                f'labels of class 0 to {classes - 1}: {error_line(error)}',
                'out_channels=1 goes with use_sigmoid=True' if one_channel else '',
            )
            return
        yield from self._class_findings(one_channel)
        yield from self._void_findings(voids)

    def _class_findings(self, one_channel: bool) -> Findings:
        """Yield losses that labels do not change as they should."""
        key, classes = f'{self.key}.{SEGMENTATION.loss}', self.head.num_classes
        halves = (PATTERN // SIDE * 2 // SIDE) % classes
        stripes = self.value(PATTERN % min(classes, 2))
        if classes > 1 and stripes == self.value(halves) != 0:
            yield Finding(
                'classes',
                key,
                f'the loss is {stripes:.4g} whatever the labels are',
                'out_channels=1 goes with use_sigmoid=True',
            )
        # Others make labels of their own.
        plain = type(self.head).loss_by_feat is BaseDecodeHead.loss_by_feat
        if one_channel and plain:
            right, wrong = self.value(halves, SHARP), self.value(halves, -SHARP)
            if right >= wrong:
                yield Finding(
                    'classes',
                    key,
                    f'out_channels=1, but the loss is {right:.4g} where class 1 is predicted '
                    f'rightly, and {wrong:.4g} where it is wrong',
                    'take a loss of one channel, such as CrossEntropyLoss(use_sigmoid=True)',
                )

    def _void_findings(self, voids: dict[int, str]) -> Findings:
        """Yield values that are not a class and that the loss fails on."""
        classes = self.head.num_classes
        for value, source in voids.items():
            is_void = PATTERN % 5 == 0
            error = self.error(torch.where(is_void, value, PATTERN % classes))
            if value >= classes and error:
                remedy = 'mmhires.WeightedCrossEntropyLoss takes class_weight beside ignored pixels'
                if self.head.ignore_index != value:
                    remedy = (
                        f'set ignore_index={value} in the head; its '
                        f'{self.head.ignore_index} is another value'
                    )
                yield Finding(
                    'labels',
                    f'{self.key}.loss_decode',
                    f'a label of {value}{source and f" ({source})"}: {error_line(error)}',
                    remedy,
                    'problem' if source else 'warning',
                )


def _with_values(tree: Any, label: Tensor, samples: list, sharp: float) -> Any:
    """Put small random values into tensors and a label into each sample.

    With ``sharp``, logits of a single channel are that much above and below 0 as the label is 1 or
    0.
    """
    generator = torch.Generator('cpu').manual_seed(0)

    def small(x: Tensor) -> Tensor:
        shape = list(x.shape)
        if x.ndim == 4:
            shape[2:] = [min(side, LOGIT_SIDE) for side in shape[2:]]
        if sharp and x.ndim == 4 and x.shape[1] == 1:
            return sharp * (F.interpolate(label[None, None].float(), shape[2:]) * 2 - 1).expand(
                shape
            )
        if x.is_floating_point():
            return torch.rand(shape, generator=generator, device='cpu')
        return torch.zeros(shape, dtype=x.dtype, device='cpu')

    def with_label(sample: SegDataSample) -> SegDataSample:
        sample = cropped(
            dict(inputs=torch.zeros(3, SIDE, SIDE), data_samples=sample), (SIDE, SIDE)
        )['data_samples']
        sample.set_data(dict(gt_sem_seg=PixelData(data=label[None])))
        return sample

    fresh = cycle(samples)
    return tree_map_only(
        (Tensor, SegDataSample),
        lambda x: small(x) if isinstance(x, Tensor) else with_label(next(fresh)),
        tree,
    )


def _values_without_class(ctx: Context) -> dict[int, str]:
    """Return values of labels that are not a class, and their sources.

    A source is empty if no training label was seen.
    """
    pad = part_of(ctx.cfg, 'model.data_preprocessor.seg_pad_val')
    ignored, values = _hold_ignored(ctx), {}
    if ignored or first(ctx.cfg.get('train_dataloader'), 'reduce_zero_label'):
        values[IGNORED] = 'training labels hold it'
    elif ignored is None:
        values[IGNORED] = ''
    if _pads(ctx.cfg):
        values[IGNORED if pad is None else pad] = 'the data preprocessor pads labels with it'
    return values


def _hold_ignored(ctx: Context) -> bool | None:
    """Return whether training labels hold 255; None if none was seen."""
    counts = [
        dataset.census.ignored
        for dataset in ctx.datasets
        if dataset.split == 'train' and dataset.census
    ]
    for sample in ctx.samples('train'):
        label = getattr(sample['data_samples'], 'gt_sem_seg', None)
        if label is not None:
            counts.append(int((label.data == IGNORED).sum()))
    return any(counts) if counts else None


def _pads(cfg: Config) -> bool:
    """Return whether images are smaller than what they are padded to."""
    size = part_of(cfg, 'model.data_preprocessor.size')
    if not isinstance(size, (list, tuple)):
        return False
    sides = [training_size(cfg)]
    for _, step in walk('', first(cfg.get('train_dataloader'), 'pipeline')):
        scale = step.get('scale')
        if (
            isinstance(scale, (list, tuple))
            and len(scale) == 2
            and all(isinstance(side, int) for side in scale)
        ):
            ratio = min(step.get('ratio_range') or (1,))
            sides.append(tuple(int(side * ratio) for side in scale[::-1]))
    return any(side < limit for pair in sides for side, limit in zip(pair, size))

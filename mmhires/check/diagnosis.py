# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Which part of a model a training step fails in, and the right widths."""

import copy
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from torch import Tensor, nn

from mmhires.dryrun.attempts import tried
from mmhires.dryrun.config_tree import each, part_of
from mmhires.dryrun.meta_device import build_model, maps_of
from mmhires.models.super_resolution import DualSuperResolution
from mmhires.tasks import HEADS

from .finding import Finding, Findings
from .remedies import from_error
from .trial import Trial

# What goes with our network in place of a head of upstream's.
INSTEAD = dict(
    DDRHead="it reads what mmseg's DDRNet returns; mmhires.DAPPMHead goes with mmhires.DDRNet"
)


@dataclass(frozen=True)
class WrongWidth(Finding):
    """Width or index that does not suit the maps, as shapes alone prove.

    Attributes:
        right: The value of ``in_channels`` that would; None of an index.
    """

    right: int | list[int] | None = None


def is_certain(findings: Sequence[Finding]) -> bool:
    """Return whether real values could not change some findings."""
    return bool(findings) and all(isinstance(finding, WrongWidth) for finding in findings)


def diagnose(trial: Trial) -> Findings:
    """Find out which parts of a model fail in training.

    Args:
        trial: Its training step may work as well.

    Yields:
        Findings of the first part that fails, or of each head.
    """
    error = trial.step.error
    if error is None:
        return
    if not hasattr(trial.model, 'backbone'):
        # SAN has no parts that others have; on the meta device more may fail.
        if 'meta' not in str(error).lower():
            yield from_error('model', error)
        return
    with trial.running():
        yield from _diagnose_parts(trial)


def _diagnose_parts(trial: Trial) -> Findings:
    model, widths = trial.model.train(), ''
    data, error = tried(trial.preprocess, trial.batch, training=True)
    if error:
        yield from_error('model.data_preprocessor', error, 'size')
        return
    maps = data['inputs']
    for name in ('backbone', 'neck'):
        part = getattr(model, name, None)
        if part is None:
            continue
        maps, error = tried(part, maps)
        if error:
            finding = from_error(f'model.{name}', error, 'width')
            yield replace(finding, message=finding.message + widths)
            return
        widths = f' (maps of the backbone are {_widths(maps)} wide)'
    findings = list(_diagnose_heads(trial, maps, data['data_samples']))
    yield from findings
    if not findings and (error := trial.training_error()):
        name = 'teacher' if hasattr(type(model), 'teacher') else 'type'
        yield from_error(f'model.{name}', error, 'width')


def _diagnose_heads(trial: Trial, maps: Any, samples: list) -> Findings:
    for name in HEADS:
        previous, heads = (), getattr(trial.model, name, None)
        for key, head in each(f'model.{name}', heads):
            part = _Head(key, head, maps, previous, samples)
            findings = list(part.findings(part_of(dict(model=trial.cfg), key)))
            yield from findings
            if name == trial.task.head and head is not heads:  # a cascade
                if findings:
                    break
                previous = (head(maps, *previous),)


@dataclass
class _Head:
    """A head and what it gets: maps, outputs of the one before, samples."""

    key: str
    head: nn.Module
    maps: Any
    previous: tuple[Tensor, ...]
    samples: list

    def findings(self, cfg: dict) -> Findings:
        error = self.error()
        if error is None:
            return
        size = re.search('pixels|heatmap_size', str(error))
        finding = from_error(self.key, error, 'size' if size else 'width')
        remedy = INSTEAD.get(type(self.head).__name__)
        if remedy:
            yield replace(finding, remedy=remedy)
            return
        wrong = list(_wrong_widths(self.key, self.head, _widths(self.maps)))
        fixes = {width.key: width.right for width in wrong if width.right}
        if fixes and not self._cured_by(fixes, cfg):
            wrong = [width for width in wrong if not width.right]
        yield from wrong or [finding]

    def error(self, forward: bool = False) -> Exception | None:
        """Return what its loss raises, or its ``forward`` alone."""
        if forward:
            return tried(self.head, self.maps, *self.previous)[1]
        return tried(self.head.loss, self.maps, *self.previous, self.samples, train_cfg={})[1]

    def _cured_by(self, fixes: dict[str, int | list[int]], cfg: dict) -> bool:
        """Return whether the head takes the maps with other widths only."""
        cfg = copy.deepcopy(cfg)
        for key, value in fixes.items():
            outer, _, name = key.removeprefix(f'{self.key}.').rpartition('.')
            part_of(cfg, outer)[name] = value
        on_meta = next(self.head.parameters()).is_meta
        other = replace(self, head=build_model(cfg, allocate=not on_meta))
        return other.error() is None or (
            self.error(forward=True) is not None and other.error(forward=True) is None
        )


def _wrong_widths(key: str, head: nn.Module, widths: list[int]) -> Iterator[WrongWidth]:
    """Compare the widths that a head and its parts expect with the maps'."""
    for name, part in head.named_modules():
        # A head that wraps another one reads what that one makes.
        wraps = isinstance(part, DualSuperResolution)
        if wraps or not {'in_index', 'in_channels'} <= vars(part).keys():
            continue
        where, index = f'{key}.{name}'.rstrip('.'), part.in_index
        last = len(widths) - 1
        indices = np.atleast_1d(index).tolist()
        if not all(-last - 1 <= i <= last for i in indices):
            yield WrongWidth(
                'width',
                f'{where}.in_index',
                f'{index}, but there are {len(widths)} maps',
                f'choose from 0 to {last}',
            )
            continue
        right = [widths[i] for i in indices]
        if getattr(part, 'input_transform', None) == 'resize_concat':
            right = [sum(right)]
        if np.atleast_1d(part.in_channels).tolist() != right:
            right = right[0] if len(right) == 1 else right
            yield WrongWidth(
                'width',
                f'{where}.in_channels',
                f'{part.in_channels}, but the maps it reads (in_index={index}) are {right} wide',
                f'set in_channels={right}',
                right=right,
            )


def _widths(maps: Any) -> list[int]:
    return [x.shape[1] for x in maps_of(maps).values()]

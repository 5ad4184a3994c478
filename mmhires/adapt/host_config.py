# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""The upstream config that a method is brought to."""

import copy
import math
import os.path as osp
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from torch import Tensor

from mmhires.dryrun.config_tree import import_scope, training_size
from mmhires.dryrun.meta_device import build_model, maps_of, shapes_only
from mmhires.tasks import TASKS, find_task
from mmhires.utils.errors import first_line
from mmhires.utils.input_channels import input_channels
from mmhires.utils.ratio import as_number, as_ratio, full_step, reduced_side

from .writing import BASE, Code

# Of segmentation: the loss that a full-size teacher is compared by.
LOGITS = dict(type='mmhires.LogitDistillLoss', loss_weight=3.0)


class AdaptError(ValueError):
    """Raised when a method does not apply to a config; the message is one line."""


@contextmanager
def refusing(why: str = '') -> Iterator[None]:
    """Turn errors of the block into an :class:`AdaptError`.

    Args:
        why: Words before those of the error.
    """
    try:
        yield
    except Exception as error:
        raise AdaptError(f'{why}{first_line(error)}') from error


class Upstream:
    """An upstream config, and its model's feature maps on reduced images.

    Args:
        name: File, or ``'mmseg::...'`` and ``'mmpose::...'``.
        out: Where the child will be, which names its base relative to that. Default: the working
            directory.

    Attributes:
        cfg (Config): The config.
        task (Task): Of the config.
        base (str): ``_base_`` of the child.
        top_preprocessor (dict): In the child, what its data preprocessor begins with: the one at
            the top level of the config, which a runner would give the model, or nothing.
        whole_model (Code): In the child, the model of the config.
        size (tuple[int, int]): Height and width of training images.

    Raises:
        AdaptError: It is not a config of a model of MMSegmentation or MMPose.
        FileNotFoundError: There is no such file.
    """

    def __init__(self, name: str, out: Path | None = None) -> None:
        self.base, path = name, name
        if '::' not in name:
            if not osp.isfile(name):
                raise FileNotFoundError(f'no file {name}')
            self.base = osp.relpath(name, out.parent if out else '.')
            path = osp.abspath(name)
        with refusing('is not a config: '):
            self.cfg = Config.fromstring(f'_base_ = {path!r}', '.py')
        self.task = find_task(self.cfg)
        if self.task is None or not self.task.distilled:
            scopes = [task.scope for task in TASKS.values() if task.distilled]
            scope = self.cfg.get('default_scope')
            raise AdaptError(f'default_scope is neither {" nor ".join(scopes)} but {scope!r}')
        if not self.cfg.get('model'):
            raise AdaptError('has no model')
        self.top_preprocessor, self.whole_model = {}, Code('_base_.model')
        top = self.cfg.get('data_preprocessor')
        if top and not self.cfg.model.get('data_preprocessor'):
            self.cfg.model.data_preprocessor = top
            self.top_preprocessor = {BASE: Code('_base_.data_preprocessor')}
            self.whole_model = Code(
                'dict(_base_.model, data_preprocessor=_base_.data_preprocessor)'
            )
        init_default_scope(self.task.scope)
        import_scope(self.task.scope)
        self.size = training_size(self.cfg)

    @property
    def imports(self) -> list[str]:
        """Return the ``custom_imports`` of the child."""
        names = (self.cfg.get('custom_imports') or {}).get('imports') or []
        names = [names] if isinstance(names, str) else list(names)
        return [*(name for name in names if name != 'mmhires'), 'mmhires']

    @cached_property
    def stride(self) -> int:
        """Stride of the coarsest map."""
        _, maps = self.maps(1)
        coarsest = min(x.shape[2] for x in maps_of(maps).values())
        return 2 ** round(math.log2(self.size[0] / coarsest))

    def fitting_scale(self, scale: float) -> int | float:
        """Return the nearest scale at which maps halve evenly.

        Args:
            scale: Full-size image : network input.

        Returns:
            A whole one as it is; otherwise a multiple of 1 / stride of segmentors, whose images are
            padded.

        Raises:
            AdaptError: It reduces nothing, or leaves less than one pixel of the coarsest map.
        """
        try:
            ratio = as_ratio(scale)
        except ValueError as error:
            raise AdaptError(str(error)) from error
        if ratio == 1:
            raise AdaptError(f'scale={scale} reduces nothing: give more')
        if ratio.denominator > 1 and not self.task.crops:
            ratio = Fraction(round(scale * self.stride), self.stride)
        small = min(self.size) / ratio
        if ratio == 1 or (small < 64 and small < self.stride):
            least, most = 1 + 1 / self.stride, min(self.size) / self.stride
            raise AdaptError(
                f'scale={scale} is of no use for images of {self.size} and a network of stride '
                f'{self.stride}; give a scale from {least:.3g} to {most:g}'
            )
        return as_number(ratio)

    def rounds(self, scale: float) -> bool:
        """Return whether sizes are rounded so that maps halve evenly.

        They are left as they are by the scales that always were there, of which training crops
        halve evenly as often as at full size.
        """
        return scale not in (1, 2, 4, 8, 16)

    def padded(self, scale: float) -> tuple[int, ...]:
        """Return height and width of training images before reduction.

        Args:
            scale: From :meth:`fitting_scale`.

        Returns:
            With padding; crops of persons have none.
        """
        if self.rounds(scale) and self.task.crops:
            return self.size
        ratio = as_ratio(scale)
        step = full_step(ratio, self.stride if self.rounds(scale) else 1)
        return tuple(-(-side // step) * step for side in self.size)

    def reduced(self, scale: float) -> tuple[int, ...]:
        """Return height and width of the network's input in training."""
        divisor = self.stride if self.rounds(scale) else 1
        return tuple(reduced_side(side, as_ratio(scale), divisor) for side in self.padded(scale))

    def maps(
        self, scale: float, size: Sequence[int] | None = None, **changes
    ) -> tuple[torch.nn.Module, list]:
        """Run backbone and neck on the meta device.

        Args:
            scale: Full-size image : network input.
            size: Height and width of the full-size image, which ``scale`` divides. Default: that of
                training images.
            **changes: Of parts of the model's config.

        Returns:
            The model and what its head gets.

        Raises:
            AdaptError: It does not run.
        """
        cfg = copy.deepcopy(self.cfg.model)
        cfg.update(changes)  # into what is there
        if size is None:
            size, small = self.size, self.reduced(scale)
        else:
            ratio = as_ratio(scale)
            small = [reduced_side(side, ratio) for side in size]
        with refusing(f'the model does not run at 1/{scale} of {tuple(size)}: '):
            model = build_model(cfg)
            image = torch.zeros(2, input_channels(model), *small)
            with shapes_only():
                outputs = model.extract_feat(image.to('meta'))
        if isinstance(outputs, Tensor):
            raise AdaptError(
                f'the backbone {type(model.backbone).__name__} '
                'returns one tensor instead of a list of maps'
            )
        if not maps_of(outputs):
            raise AdaptError('the backbone returns no maps (N, C, H, W)')
        return model, list(outputs)

    def expect(self, frame: str, why: str) -> None:
        """Raise an error if the model is of another type.

        Args:
            frame: Type of the segmentor or pose estimator.
            why: What the method has to do with that frame.

        Raises:
            AdaptError: It is another one.
        """
        if self.cfg.model.type != frame:
            article = 'an' if frame[0] in 'AEIOU' else 'a'
            raise AdaptError(f'{self.cfg.model.type} is not {article} {frame}: {why}')


def number(values: list) -> Any:
    """Return a single value as it is, several values as a list."""
    return values[0] if len(values) == 1 else values


def taught(
    upstream: Upstream,
    preprocessor: dict,
    head: dict,
    teacher_ckpt: str | None,
    losses: list[dict] | None = None,
) -> dict[str, Any]:
    """Return settings of a child, with or without a teacher.

    Args:
        upstream: The config.
        preprocessor: The data preprocessor.
        head: The head by its name; empty: that of the base.
        teacher_ckpt: Weights of the config's model, to start from and to be taught by. None: no
            teacher.
        losses: ``distill_losses``, if not the default.

    Returns:
        Settings by name.
    """
    model = dict(data_preprocessor=preprocessor, **head)
    if teacher_ckpt is None:
        return dict(model=model)
    model = dict(type=upstream.task.distilled, **model)
    model.update(teacher=upstream.whole_model, teacher_ckpt=teacher_ckpt)
    if losses:
        model['distill_losses'] = losses
    return dict(load_from=teacher_ckpt, model=model)

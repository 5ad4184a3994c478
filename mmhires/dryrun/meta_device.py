# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Models without memory or arithmetic, to see whether their parts fit."""

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext

import torch
import torch.fx.experimental._config as fx_config
import torch.nn.functional as F
from mmengine.config import Config
from mmengine.model import revert_sync_batchnorm
from mmengine.registry import MODELS
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves, tree_map_only

from mmhires.utils import configs


class _DummyValues(TorchFunctionMode):
    """Return dummy values when code reads a meta tensor: 1, or zeros."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        if args and isinstance(args[0], Tensor) and args[0].is_meta:
            if func is Tensor.__bool__:
                return True
            if func in (Tensor.item, Tensor.__int__, Tensor.__float__):
                return 1
            if func in (Tensor.cpu, Tensor.tolist, Tensor.numpy):
                zeros = torch.zeros(args[0].shape, dtype=args[0].dtype, device='cpu')
                return zeros if func is Tensor.cpu else func(zeros)
        if func in (torch.conv_transpose2d, F.batch_norm):
            # The first forgets to look on the meta device, the second is slow.
            x, weight = args[:2]
            if weight is not None and x.shape[1] != len(weight):
                raise RuntimeError(f'{x.shape[1]} channels instead of {len(weight)}')
            if func is F.batch_norm:
                return x.clone()
        if func is F.interpolate:
            return func(**_resize_arguments(*args, **(kwargs or {})))
        return func(*args, **(kwargs or {}))


def _resize_arguments(
    input: Tensor,
    size: int | Sequence[int] | None = None,
    scale_factor: float | Sequence[float] | None = None,
    mode: str = 'nearest',
    align_corners: bool | None = None,
    **others: bool,
) -> dict:
    """Return arguments of ``F.interpolate`` with the same shape, of which PyTorch knows it fast."""
    smooth = mode in ('bilinear', 'bicubic')
    if smooth and input.is_meta and input.ndim == 4 and input.is_floating_point():
        mode, align_corners, others = 'nearest', None, {**others, 'antialias': False}
    return dict(
        input=input,
        size=size,
        scale_factor=scale_factor,
        mode=mode,
        align_corners=align_corners,
        **others,
    )


class Unallocated(_DummyValues):
    """Build modules whose weights take neither memory nor time.

    Tensors of known values, such as weights of classes, keep them.
    """

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = dict(kwargs or {})
        if func is torch.empty and kwargs.get('device') is None:
            kwargs['device'] = 'meta'
        tensors = [x for x in tree_leaves((args, kwargs)) if isinstance(x, Tensor)]
        if len({x.is_meta for x in tensors}) == 2:
            # An initialisation that writes known values into weights.
            args, kwargs = tree_map_only(Tensor, lambda x: x.to('meta'), (args, kwargs))
        return super().__torch_function__(func, types, args, kwargs)


def build_model(model_cfg: dict, allocate: bool = False) -> nn.Module:
    """Build a model that never reads a checkpoint.

    Args:
        model_cfg: ``model`` of a config, or a part of it.
        allocate: Give it real, random weights instead of the meta device.

    Returns:
        The model in training mode, without SyncBN.
    """
    with nullcontext() if allocate else Unallocated():
        model = MODELS.build(without_weights(model_cfg))
    model = revert_sync_batchnorm(model)
    return (model if allocate else model.to('meta')).train()


def without_weights(model_cfg: dict) -> dict:
    """Copy a model's config without its checkpoints.

    Args:
        model_cfg: ``model`` of a config. A teacher that is named by its file becomes its config.

    Returns:
        The copy.
    """
    cfg = copy.copy(model_cfg)
    if isinstance(cfg.get('teacher'), str):
        cfg['teacher'] = Config.fromfile(cfg['teacher'])['model']
    return configs.without_weights(cfg)


@contextmanager
def shapes_only() -> Iterator[None]:
    """Run models of the meta device: shapes are computed, values are not."""
    name = 'meta_nonzero_assume_all_nonzero'  # not in every PyTorch
    patch = fx_config.patch(**{name: True}) if hasattr(fx_config, name) else nullcontext()
    with torch.device('meta'), torch.no_grad(), _DummyValues(), patch:
        yield


def maps_of(outputs: Tensor | Sequence) -> dict[int, Tensor]:
    """Return the maps ``(N, C, H, W)`` of a backbone or neck, by index."""
    several = [outputs] if isinstance(outputs, Tensor) else outputs
    return {i: x for i, x in enumerate(several) if isinstance(x, Tensor) and x.ndim == 4}

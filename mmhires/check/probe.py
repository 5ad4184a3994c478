# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""A model without memory or arithmetic, to see whether its parts fit."""
import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext

import numpy as np
import torch
import torch.fx.experimental._config as fx_config
import torch.nn.functional as F
from mmengine.config import Config
from mmengine.model import revert_sync_batchnorm
from mmengine.registry import MODELS, Registry, root
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves, tree_map_only

from mmhires.utils import configs


class _Answers(TorchFunctionMode):
    """Return dummy values when code reads a meta tensor: 1, or zeros."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        if args and isinstance(args[0], Tensor) and args[0].is_meta:
            if func is Tensor.__bool__:
                return True
            if func in (Tensor.item, Tensor.__int__, Tensor.__float__):
                return 1
            if func in (Tensor.cpu, Tensor.tolist, Tensor.numpy):
                zeros = torch.zeros(
                    args[0].shape, dtype=args[0].dtype, device='cpu')
                return zeros if func is Tensor.cpu else func(zeros)
        if func in (torch.conv_transpose2d, F.batch_norm):
            # The first forgets to look on the meta device, the second is slow.
            x, weight = args[:2]
            if weight is not None and x.shape[1] != len(weight):
                raise RuntimeError(f'{x.shape[1]} channels instead of '
                                   f'{len(weight)}')
            if func is F.batch_norm:
                return x.clone()
        return func(*args, **(kwargs or {}))


class _Unallocated(_Answers):
    """Weights take no memory and no time; tensors of known values stay."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = dict(kwargs or {})
        if func is torch.empty and kwargs.get('device') is None:
            kwargs['device'] = 'meta'
        tensors = [
            x for x in tree_leaves((args, kwargs)) if isinstance(x, Tensor)
        ]
        if len({x.is_meta for x in tensors}) == 2:
            # An initialisation that writes known values into weights.
            args, kwargs = tree_map_only(Tensor, lambda x: x.to('meta'),
                                         (args, kwargs))
        return super().__torch_function__(func, types, args, kwargs)


def component(name: str) -> type | None:
    """Class of a name, as building in the default scope finds it.

    Args:
        name (str): Value of ``type``.

    Returns:
        type | None: None if nothing is registered by it.
    """
    for registry in vars(root).values():
        if isinstance(registry, Registry):
            with registry.switch_scope_and_registry(None) as scope:
                if kind := scope.get(name):
                    return kind
    return None


def is_topdown(model_cfg: dict) -> bool:
    """Tell whether a model estimates the pose of one person in a crop.

    Args:
        model_cfg (dict): ``model`` of a config.

    Returns:
        bool: For MMPose's ``TopdownPoseEstimator`` and its subclasses.
    """
    kind = component(model_cfg.get('type', ''))
    return kind is not None and any(base.__name__ == 'TopdownPoseEstimator'
                                    for base in kind.__mro__)


def build(model_cfg: dict, allocate: bool = False) -> nn.Module:
    """Build a model that never reads a checkpoint.

    Args:
        model_cfg (dict): ``model`` of a config.
        allocate (bool): Have real, random weights; otherwise the model is on
            the meta device. Default: False.

    Returns:
        nn.Module: In training mode, without SyncBN.
    """
    with nullcontext() if allocate else unallocated():
        model = MODELS.build(without_weights(model_cfg))
    model = revert_sync_batchnorm(model)
    return (model if allocate else model.to('meta')).train()


@contextmanager
def unallocated() -> Iterator[None]:
    """Build what has weights without memory for them.

    Tensors of known values, such as weights of classes, have their values.
    """
    with _Unallocated():
        yield


def without_weights(model_cfg: dict) -> dict:
    """A copy of a model's config that names no checkpoint.

    A teacher that is named by its file becomes its config.

    Args:
        model_cfg (dict): ``model`` of a config.

    Returns:
        dict: The copy.
    """
    cfg = copy.copy(model_cfg)
    if isinstance(cfg.get('teacher'), str):
        cfg['teacher'] = Config.fromfile(cfg['teacher'])['model']
    return configs.without_weights(cfg)


@contextmanager
def shapes_only() -> Iterator[None]:
    """Run models of the meta device: shapes are computed, values are not."""
    name = 'meta_nonzero_assume_all_nonzero'  # not in every PyTorch
    patch = fx_config.patch(
        **{name: True}) if hasattr(fx_config, name) else nullcontext()
    with torch.device('meta'), torch.no_grad(), _Answers(), patch:
        yield


def maps_of(outputs: Tensor | Sequence) -> dict[int, Tensor]:
    """The feature maps ``(N, C, H, W)`` of a backbone or neck, by index."""
    several = [outputs] if isinstance(outputs, Tensor) else outputs
    return {
        i: x
        for i, x in enumerate(several) if isinstance(x, Tensor) and x.ndim == 4
    }


def read_maps(model: nn.Module, count: int) -> set[int]:
    """Which feature maps the heads of a model read, by ``in_index``.

    Args:
        model (nn.Module): The model.
        count (int): Number of maps.

    Returns:
        set[int]: Their indices, from 0.
    """
    read = {
        index % count
        for part in model.modules()
        for index in np.atleast_1d(getattr(part, 'in_index', ())).astype(int)
    }
    # DeepLabV3+ says that it reads the first one, too, in another way.
    if any(getattr(part, 'c1_bottleneck', None) for part in model.modules()):
        read.add(0)
    return read

# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Batch normalisation folded into the convolutions before it."""

from collections import Counter
from collections.abc import Iterator
from itertools import pairwise

from mmcv.cnn import ConvModule
from mmengine.model import revert_sync_batchnorm
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd, _ConvTransposeNd
from torch.nn.utils.fusion import fuse_conv_bn_eval

# MMCV's convolutions differ from PyTorch's with an empty batch only.
PLAIN = ('torch.nn.modules.', 'mmcv.cnn.bricks.wrappers')


def fold_bn(model: nn.Module) -> nn.Module:
    """Fold every batch normalisation that follows a convolution, in place.

    The predictions of evaluation mode, which the model is put into, stay the same but for rounding.
    A norm follows a convolution where a ``ConvModule`` says so, whatever its order, and elsewhere
    where the two are registered one after the other, as in residual blocks and ``nn.Sequential``. A
    norm before the activation that precedes a convolution cannot be folded and stays, as does one
    whose layers are used in several places, and one where either layer does more than PyTorch's:
    timm's norms contain the activation, and others standardise the weight. SyncBN that stays
    becomes BN.

    Args:
        model: Any model.

    Returns:
        The same model, or what is left of a single SyncBN.
    """
    model = revert_sync_batchnorm(model).eval()
    uses = Counter(id(child) for module in model.modules() for child in module._modules.values())
    for module in list(model.modules()):
        for owner, conv_name, norm_name in _pairs(module):
            conv = owner._modules[conv_name]
            norm = module._modules[norm_name]
            if max(uses[id(conv)], uses[id(norm)]) == 1 and _fits(conv, norm):
                owner._modules[conv_name] = fuse_conv_bn_eval(
                    conv, norm, transpose=isinstance(conv, _ConvTransposeNd)
                )
                module._modules[norm_name] = nn.Identity()
        if isinstance(module, ConvModule):
            # It would look for the statistics that are gone.
            module.efficient_conv_bn_eval_forward = None
    return model


def _pairs(module: nn.Module) -> Iterator[tuple[nn.Module, str, str]]:
    """Yield owner and name of a convolution, and name of the norm after it."""
    if isinstance(module, ConvModule):
        order = module.order
        if module.with_norm and order.index('norm') == order.index('conv') + 1:
            yield module, 'conv', module.norm_name
        return
    children = list(module._modules.items())
    for (name, child), (norm_name, _) in pairwise(children):
        if isinstance(child, ConvModule) and child.order[-1] == 'conv':
            yield child, 'conv', norm_name
        else:
            yield module, name, norm_name


def _fits(conv: nn.Module, norm: nn.Module) -> bool:
    if not (isinstance(conv, _ConvNd) and isinstance(norm, _BatchNorm)):
        return False
    are_plain = _is_plain(conv) and _is_plain(norm) and norm.track_running_stats
    # fuse_conv_bn_eval scales the outputs of one group only
    in_one = conv.groups == 1 or not isinstance(conv, _ConvTransposeNd)
    return are_plain and norm.num_features == conv.out_channels and in_one


def _is_plain(layer: nn.Module) -> bool:
    """Whether a layer computes what PyTorch's layer of its kind does."""
    kinds = (kind for kind in type(layer).mro() if 'forward' in vars(kind))
    return next(kinds).__module__.startswith(PLAIN)

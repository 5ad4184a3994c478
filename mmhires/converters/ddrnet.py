# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Checkpoints of DDRNet's authors and of MMSegmentation's DDRNet."""
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn

from mmhires.models.backbones import DDRNet, ddrnet_keys
from mmhires.models.decode_heads import DAPPMHead, PreActHead
from mmhires.models.necks import DDRNetClsNeck
from mmhires.utils.state_dict import take, translate

from .convert import SOURCES, TARGETS

StateDict = dict[str, Tensor]

_OURS = 'mmhires'
# Whose names the backbone has, and beginnings of keys that no other has.
_LAYOUTS = {
    'ddrnet': ('authors', ('final_layer.', 'spp.scale0.')),
    'ddrnet-imagenet': ('authors', ('down5.', 'last_layer.', 'linear.')),
    'mmseg-ddrnet': ('mmseg', ('backbone.context_branch_layers.', )),
    _OURS: ('mmhires', ('backbone.low_bottleneck.', )),
}


def _namer(source: str, groups: int) -> Callable[[str], str]:
    """From a key of our segmentor or classifier to that of a source."""
    if source == _OURS:
        return str
    mmseg = source == 'mmseg-ddrnet'
    backbone = ddrnet_keys.MMSEG if mmseg else ddrnet_keys.authors(groups)
    rest = ddrnet_keys.MMSEG_HEADS if mmseg else ddrnet_keys.AUTHORS_HEADS

    def name(key: str) -> str:
        part, _, below = key.partition('.')
        if part == 'backbone':
            below = translate(below, backbone)
            return f'backbone.{below}' if mmseg else below
        return translate(key, rest)

    return name


def _take(state_dict: StateDict, source: str) -> tuple[StateDict, int]:
    """By our keys, all weights of a network, and its number of groups."""
    present = [
        name for name, (_, signs) in _LAYOUTS.items() if any(
            key.startswith(signs) for key in state_dict)
    ]
    if source not in present:
        if present:
            reason = f'these are weights of {present[0]!r}, not of {source!r}'
        elif ddrnet_keys.find(state_dict):
            reason = ('this is the backbone alone, which loads as it is: '
                      "init_cfg=dict(type='Pretrained', checkpoint=...)")
        else:
            reason = (f'there is no DDRNet of {source!r} among these '
                      f'{len(state_dict)} weights: {list(state_dict)[:3]} ...')
        raise ValueError(reason)
    layout = _LAYOUTS[source][0]
    prefix = '' if layout == 'authors' else 'backbone.'
    width, groups = ddrnet_keys.size_of(state_dict, layout, prefix)
    if layout == 'mmseg':
        ddrnet_keys.add_stem_biases(state_dict, prefix)
    name = _namer(source, groups)
    try:
        expected = _skeleton(state_dict, name, width or 32, groups)
        return take(expected, state_dict, name), groups
    except ValueError as error:
        network = ddrnet_keys.network_name(DDRNet.arch_settings, width, groups)
        raise ValueError(f'not the weights of {network} by the keys of '
                         f'{source!r}: {error}') from error


def _skeleton(state_dict: StateDict, name: Callable[[str], str], width: int,
              groups: int) -> StateDict:
    """Our keys and shapes of the network that a state dict seems to hold."""

    def size(key: str, default: int) -> int:
        weight = state_dict.get(name(key))
        return default if weight is None else len(weight)

    def has(part: str) -> bool:
        return any(key.startswith(name(part)) for key in state_dict)

    depths = next(settings['depths']
                  for settings in DDRNet.arch_settings.values()
                  if len(settings['depths']) == groups + 2)
    maps = [4 * width, 16 * width]
    with torch.device('meta'):
        parts = dict(backbone=DDRNet(dict(channels=width, depths=depths)))
        if has('head.fc.') or has('neck.0.last.conv.'):
            features = size('neck.0.last.conv.weight', 2048)
            parts['neck'] = nn.ModuleList([DDRNetClsNeck(maps, features)])
            parts['head'] = nn.ModuleDict(
                dict(fc=nn.Linear(features, size('head.fc.weight', 1000))))
        else:
            context = dict(
                type='mmhires.DAPPM',
                channels=size('decode_head.context.scales.0.conv.weight', 128))
            parts['decode_head'] = DAPPMHead(
                maps,
                size('decode_head.conv.conv.weight', 128),
                context=context,
                num_classes=size('decode_head.conv_seg.weight', 19))
        if has('auxiliary_head.conv_seg.'):
            parts['auxiliary_head'] = PreActHead(
                2 * width,
                size('auxiliary_head.conv.conv.weight', 128),
                num_classes=size('auxiliary_head.conv_seg.weight', 19))
    return nn.ModuleDict(parts).state_dict()


def convert_ddrnet(state_dict: StateDict, source: str) -> StateDict:
    """Convert weights of DDRNet, all of them or none.

    Args:
        state_dict (dict[str, Tensor]): The source's keys. Of the authors'
            segmentors with or without ``seghead_extra``; MMSegmentation's
            stem, which has no biases, gets biases of 0.
        source (str): ``'ddrnet'``, ``'ddrnet-imagenet'`` or
            ``'mmseg-ddrnet'``.

    Returns:
        dict[str, Tensor]: Keys of our segmentor, ``ddrnet-imagenet`` those of
        our classifier.

    Raises:
        ValueError: No DDRNet, one of another source, or keys that are
            missing, unknown or of another shape.
    """
    return _take(state_dict, source)[0]


def revert_ddrnet(state_dict: StateDict, target: str) -> StateDict:
    """Convert our weights to the keys of others, all of them or none.

    MMSegmentation's stem has no biases; they are subtracted from the running
    means of the batch normalisation behind them, which in inference is the
    same.

    Args:
        state_dict (dict[str, Tensor]): Keys of our segmentor, for
            ``ddrnet-imagenet`` of our classifier.
        target (str): As ``source`` of :func:`convert_ddrnet`.

    Returns:
        dict[str, Tensor]: The target's keys.

    Raises:
        ValueError: As of :func:`convert_ddrnet`, or the target has no such
            network.
    """
    weights, groups = _take(state_dict, _OURS)
    if ('head.fc.weight' in weights) != (target == 'ddrnet-imagenet'):
        raise ValueError(
            f'{target!r} has no '
            f'{"classifiers" if "head.fc.weight" in weights else "segmentors"}'
        )
    if target == 'mmseg-ddrnet':
        if groups != 2:
            raise ValueError('MMSegmentation has no DDRNet-39')
        for i in range(2):
            stem = f'backbone.stem.{i}'
            weights[f'{stem}.bn.running_mean'] = (
                weights[f'{stem}.bn.running_mean'] -
                weights.pop(f'{stem}.conv.bias'))
    name = _namer(target, groups)
    return {name(key): value for key, value in weights.items()}


for _source in ('ddrnet', 'ddrnet-imagenet', 'mmseg-ddrnet'):
    SOURCES[_source] = partial(convert_ddrnet, source=_source)
    TARGETS[_source] = partial(revert_ddrnet, target=_source)

# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Checkpoints of the DDRNet authors and of MMSegmentation's DDRNet."""

from collections.abc import Callable
from functools import partial

from torch import nn

from mmhires.registry import MODELS
from mmhires.utils.state_dict import Rules, StateDict, exchange

from . import ddrnet_keys

# By source: the layout of its backbone, what stands before the keys of that,
# and beginnings of keys that no other source has.
_LAYOUTS = {
    'ddrnet': ('authors', '', ('final_layer.', 'spp.scale0.')),
    'ddrnet-imagenet': ('authors', '', ('down5.', 'last_layer.', 'linear.')),
    'mmseg-ddrnet': ('mmseg', 'backbone.', ('backbone.context_branch_layers.',)),
    'mmhires': ('mmhires', 'backbone.', ('backbone.low_bottleneck.',)),
}

# From our keys to the authors' of heads, and of the neck for ImageNet.
_AUTHORS_HEADS: Rules = (
    (r'^decode_head\.context\.scales\.', 'spp.scale'),
    *((rf'^decode_head\.context\.processes\.{i}\.', f'spp.process{i + 1}.') for i in range(4)),
    (r'^decode_head\.context\.', 'spp.'),
    (r'^decode_head\.', 'final_layer.'),
    (r'^auxiliary_head\.', 'seghead_extra.'),
    (r'^(spp\.scale[1-4])\.bn\.', r'\1.1.'),
    (r'^(spp\.scale[1-4])\.conv\.', r'\1.3.'),
    (r'^(spp\.\w+)\.bn\.', r'\1.0.'),
    (r'^(spp\.\w+)\.conv\.', r'\1.2.'),
    (r'^(final_layer|seghead_extra)\.bn\.', r'\1.bn2.'),
    (r'^(final_layer|seghead_extra)\.conv\.bn\.', r'\1.bn1.'),
    (r'^(final_layer|seghead_extra)\.conv\.conv\.', r'\1.conv1.'),
    (r'^(final_layer|seghead_extra)\.conv_seg\.', r'\1.conv2.'),
    (r'^neck\.0\.down\.', 'down5.'),
    (r'^neck\.0\.last\.', 'last_layer.0.'),
    (r'^head\.fc\.', 'linear.'),
)
_MMSEG_HEADS: Rules = (
    (r'^decode_head\.context\.scales\.([1-4])\.', r'backbone.spp.scales.\1.1.'),
    (r'^decode_head\.context\.', 'backbone.spp.'),
    (r'^decode_head\.conv\.', 'decode_head.head.0.'),
    (r'^decode_head\.bn\.', 'decode_head.head.1.'),
    (r'^auxiliary_head\.conv\.', 'decode_head.aux_head.0.'),
    (r'^auxiliary_head\.bn\.', 'decode_head.aux_head.1.'),
    (r'^auxiliary_head\.conv_seg\.', 'decode_head.aux_cls_seg.'),
)


def _rules(source: str, groups: int) -> Rules:
    """Return the rules from keys of our model to those of a source."""
    if source == 'mmseg-ddrnet':
        return (
            (r'^backbone\.', ''),
            *ddrnet_keys.MMSEG,
            (r'^(?!decode_head|auxiliary_head)', 'backbone.'),
            *_MMSEG_HEADS,
        )
    return ((r'^backbone\.', ''), *_AUTHORS_HEADS, *ddrnet_keys.authors(groups))


def _check_source(state_dict: StateDict, source: str) -> None:
    """Raise an error that names the source if it is another one."""
    signs = {name: signs for name, (_, _, signs) in _LAYOUTS.items()}
    present = [name for name in signs if any(key.startswith(signs[name]) for key in state_dict)]
    if source in present:
        return
    if present:
        reason = f'these are weights of {present[0]!r}, not of {source!r}'
    elif ddrnet_keys.find(state_dict):
        reason = (
            'this is the backbone alone, which loads as it is: '
            "init_cfg=dict(type='Pretrained', checkpoint=...)"
        )
    else:
        reason = (
            f'there is no DDRNet of {source!r} among these '
            f'{len(state_dict)} weights: {list(state_dict)[:3]} ...'
        )
    raise ValueError(reason)


def _network(size: Callable[[str], int], width: int, groups: int) -> nn.Module:
    """Build our network whose sizes the weights have."""

    def length(key: str, default: int = 0) -> int:
        try:
            return size(f'{key}.weight')
        except KeyError:
            return default

    known = [arch['depths'] for arch in MODELS.get('mmhires.DDRNet').arch_settings.values()]
    depths = next(depths for depths in known if len(depths) == groups + 2)
    maps = [4 * width, 16 * width]
    arch = dict(channels=width, depths=depths)
    parts = dict(backbone=dict(type='mmhires.DDRNet', arch=arch))
    network = nn.ModuleDict()
    if length('head.fc') or length('neck.0.last.conv'):
        features = length('neck.0.last.conv', 2048)
        neck = dict(type='mmhires.DDRNetClsNeck', in_channels=maps, out_channels=features)
        parts['neck'] = [neck]
        network['head'] = nn.ModuleDict(dict(fc=nn.Linear(features, length('head.fc', 1000))))
    else:
        context = length('decode_head.context.scales.0.conv', 128)
        parts['decode_head'] = dict(
            type='mmhires.DAPPMHead',
            in_channels=maps,
            channels=length('decode_head.conv.conv', 128),
            context=dict(type='mmhires.DAPPM', channels=context),
            num_classes=length('decode_head.conv_seg', 19),
        )
    if length('auxiliary_head.conv_seg'):
        parts['auxiliary_head'] = dict(
            type='mmhires.PreActHead',
            in_channels=2 * width,
            channels=length('auxiliary_head.conv.conv', 128),
            num_classes=length('auxiliary_head.conv_seg'),
        )
    network.update({name: MODELS.build(cfg) for name, cfg in parts.items()})
    return network


def convert(state_dict: StateDict, source: str, reverse: bool) -> StateDict:
    """Convert all weights of a DDRNet in either direction.

    MMSegmentation's stem has no biases: from there it gets biases of 0; back they are subtracted
    from the running means of the batch normalisation behind them, which in inference is the same.

    Args:
        state_dict: The source's keys; the authors' segmentors are with or without
            ``seghead_extra``.
        source: ``'ddrnet'``, ``'ddrnet-imagenet'`` or ``'mmseg-ddrnet'``.
        reverse: ``state_dict`` has our keys.

    Returns:
        Keys of our segmentor, ``ddrnet-imagenet`` those of our classifier; with ``reverse`` the
        source's.

    Raises:
        ValueError: No DDRNet, one of another source, one that the source does not have, or keys
            that are missing, unknown or of another shape.
    """
    given = 'mmhires' if reverse else source
    _check_source(state_dict, given)
    layout, prefix, _ = _LAYOUTS[given]
    width, groups = ddrnet_keys.size_of(state_dict, layout, prefix)
    if layout == 'mmseg':
        ddrnet_keys.add_stem_biases(state_dict, prefix)
    if reverse:
        classifier = 'head.fc.weight' in state_dict
        if classifier != (source == 'ddrnet-imagenet'):
            lacking = 'classifiers' if classifier else 'segmentors'
            raise ValueError(f'{source!r} has no {lacking}')
        if source == 'mmseg-ddrnet' and groups != 2:
            raise ValueError('MMSegmentation has no DDRNet-39')
    network = ddrnet_keys.network_name(MODELS.get('mmhires.DDRNet').arch_settings, width, groups)
    weights = exchange(
        state_dict,
        partial(_network, width=width or 32, groups=groups),
        _rules(source, groups),
        f'{network} by the keys of {given!r}',
        reverse,
    )
    if reverse and source == 'mmseg-ddrnet':
        for stem in ('backbone.stem.0', 'backbone.stem.1'):
            mean = f'{stem}.bn.running_mean'
            weights[mean] = weights[mean] - weights.pop(f'{stem}.conv.bias')
    return weights

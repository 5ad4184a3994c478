# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Checkpoints of ESPNetv2 in the authors' EdgeNets."""

from collections.abc import Callable
from functools import partial

from torch import nn

from mmhires.registry import MODELS
from mmhires.utils.state_dict import StateDict, exchange

# https://github.com/sacmehta/EdgeNets, from our keys to theirs.
_UNIT = (
    ('reinforce', 'inp_reinf'),
    ('reduce', 'proj_1x1'),
    (r'branches\.(\d)', r'spp_dw.\2.conv'),
    ('expand', 'conv_1x1_exp'),
    (r'norm_act\.norm', 'br_after_cat.bn'),
    (r'norm_act\.act', 'br_after_cat.act'),
    ('activate', 'act'),
)
_DECODER = (
    ('poolings', 'bu_dec_l', 1),
    ('skips', 'merge_enc_dec_l', 2),
    ('norm_acts', 'bu_br_l', 2),
)
_POOLING = (
    ('branches', 'stages'),
    (r'norm_act\.norm', 'merge_layer.0.br.0'),
    (r'norm_act\.act', 'merge_layer.0.br.1'),
    (r'expand\.conv', 'merge_layer.3'),
    (r'expand\.bn', 'br.br.0'),
    (r'expand\.activate', 'br.br.1'),
    ('gate', 'wt_layer'),
    ('project', 'projection_layer.cbr'),
    ('merge', 'merge_layer.2.cbr'),
    (r'cbr\.conv', 'cbr.0'),
    (r'cbr\.bn', 'cbr.1'),
    (r'cbr\.activate', 'cbr.2'),
)
_RULES = (
    (r'^backbone\.level([2-4])\.0\.', r'base_net.level\1_0.'),
    *(
        (rf'^backbone\.level([34])\.{unit}\.', rf'base_net.level\1.{unit - 1}.')
        for unit in range(1, 8)
    ),
    (r'^backbone\.', 'base_net.'),
    (r'^(base_net.*(?:level\d\.\d|eesp))\.act\.', r'\1.module_act.'),
    *((rf'^(base_net.*)\.{ours}\.', rf'\1.{theirs}.') for ours, theirs in _UNIT),
    (r'^decode_head\.conv_seg\.', 'bu_dec_l4.merge_layer.3.'),
    *(
        (rf'^decode_head\.{ours}\.{i}\.', f'{theirs}{i + first}.')
        for i in range(4)
        for ours, theirs, first in _DECODER
    ),
    (r'^(bu_br_l\d)\.norm\.', r'\1.0.'),
    (r'^(bu_br_l\d)\.act\.', r'\1.1.'),
    (r'^(merge_enc_dec_l\d)\.conv\.', r'\1.expansion_layer.cbr.'),
    *((rf'^((?:bu|merge).*)\.{ours}\.', rf'\1.{theirs}.') for ours, theirs in _POOLING),
)
# What only the classifier of ImageNet has.
_CLASSIFIER = ('level5.', 'level5_0.', 'classifier.')


def _network(size: Callable[[str], int], head: bool = True) -> nn.Module:
    widths = tuple(
        size(f'backbone.level{part}.weight') for part in ('1.conv', '2.0.act', '3.0.act', '4.0.act')
    )
    known = MODELS.get('mmhires.ESPNetv2').arch_settings
    scales = {own: scale for scale, own in known.items()}
    if widths not in scales:
        raise ValueError(f'there is no scale of the widths {widths}')
    backbone = MODELS.build(dict(type='mmhires.ESPNetv2', scale=scales[widths]))
    network = nn.ModuleDict(dict(backbone=backbone))
    if head:
        pooling = 'decode_head.poolings.{}.{}.conv.weight'
        network['decode_head'] = MODELS.build(
            dict(
                type='mmhires.ESPNetv2Head',
                in_channels=backbone.out_channels,
                channels=size(pooling.format(0, 'project')),
                widths=[size(pooling.format(i, 'expand')) for i in range(3)],
                num_classes=size('decode_head.conv_seg.weight'),
            )
        )
    return network


def convert(state_dict: StateDict, source: str, reverse: bool) -> StateDict:
    """Convert all weights of EdgeNets' ESPNetv2 in either direction.

    Args:
        state_dict: A segmentor, of any number of classes and any ``s``, or a classifier of
            ImageNet.
        source: ``'espnetv2'``.
        reverse: ``state_dict`` has our keys, those of a segmentor.

    Returns:
        Keys of our segmentor; of a classifier those of the backbone, without a prefix and the level
        of 1/32; with ``reverse`` those of EdgeNets.

    Raises:
        ValueError: Another network, or keys that are missing, unknown or of another shape.
    """
    network = 'our ESPNetv2' if reverse else "EdgeNets' ESPNetv2"
    if reverse or 'level5_0.act.weight' not in state_dict:
        return exchange(state_dict, _network, _RULES, network, reverse)
    keys = (key for key in state_dict if not key.startswith(_CLASSIFIER))
    backbone = {f'base_net.{key}': state_dict[key] for key in keys}
    build = partial(_network, head=False)
    backbone = exchange(backbone, build, _RULES, f'{network} of ImageNet')
    return {k.removeprefix('backbone.'): v for k, v in backbone.items()}

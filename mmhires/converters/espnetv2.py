# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Checkpoints of ESPNetv2 in the authors' EdgeNets."""
from collections.abc import Callable

from torch import Tensor, nn

from mmhires.models.backbones import ESPNetv2
from mmhires.models.decode_heads import ESPNetv2Head
from mmhires.utils.state_dict import exchange

from .convert import SOURCES, TARGETS

StateDict = dict[str, Tensor]

# https://github.com/sacmehta/EdgeNets, from our keys to theirs.
_BACKBONE = (
    (r'^backbone\.level([2-4])\.0\.', r'base_net.level\1_0.'),
    *((rf'^backbone\.level([34])\.{unit}\.', rf'base_net.level\1.{unit - 1}.')
      for unit in range(1, 8)),
    (r'^backbone\.', 'base_net.'),
    (r'^(base_net.*(?:level\d\.\d|eesp))\.act\.', r'\1.module_act.'),
    *((rf'^(base_net.*)\.{ours}\.', rf'\1.{theirs}.') for ours, theirs in (
        ('reinforce', 'inp_reinf'),
        ('reduce', 'proj_1x1'),
        (r'branches\.(\d)', r'spp_dw.\2.conv'),
        (r'norm_act\.norm', 'br_after_cat.bn'),
        (r'norm_act\.act', 'br_after_cat.act'),
        ('expand', 'conv_1x1_exp'),
        ('activate', 'act'),
    )),
)
_HEAD = (
    (r'^decode_head\.conv_seg\.', 'bu_dec_l4.merge_layer.3.'),
    *((rf'^decode_head\.{ours}\.{i}\.', f'{theirs}{i + first}.')
      for i in range(4) for ours, theirs, first in (
          ('poolings', 'bu_dec_l', 1),
          ('skips', 'merge_enc_dec_l', 2),
          ('norm_acts', 'bu_br_l', 2),
      )),
    (r'^(bu_br_l\d)\.norm\.', r'\1.0.'),
    (r'^(bu_br_l\d)\.act\.', r'\1.1.'),
    (r'^(merge_enc_dec_l\d)\.conv\.', r'\1.expansion_layer.cbr.'),
    *((rf'^((?:bu|merge).*)\.{ours}\.', rf'\1.{theirs}.') for ours, theirs in (
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
    )),
)
# What only the classifier of ImageNet has.
_CLASSIFIER = ('level5.', 'level5_0.', 'classifier.')


def _backbone(size: Callable[[str], int]) -> ESPNetv2:
    widths = tuple(
        size(f'backbone.level{part}.weight')
        for part in ('1.conv', '2.0.act', '3.0.act', '4.0.act'))
    for scale, known in ESPNetv2.arch_settings.items():
        if known == widths:
            return ESPNetv2(scale)
    raise ValueError(f'there is no scale of the widths {widths}')


def _segmentor(size: Callable[[str], int]) -> nn.Module:
    backbone = _backbone(size)
    head = ESPNetv2Head(
        backbone.out_channels,
        size('decode_head.poolings.0.project.conv.weight'),
        widths=[
            size(f'decode_head.poolings.{i}.expand.conv.weight')
            for i in range(3)
        ],
        num_classes=size('decode_head.conv_seg.weight'))
    return nn.ModuleDict(dict(backbone=backbone, decode_head=head))


def convert_espnetv2(state_dict: StateDict) -> StateDict:
    """Convert weights of EdgeNets' ESPNetv2, all of them or none.

    Args:
        state_dict (dict[str, Tensor]): A segmentor, of any number of classes
            and any ``s``, or a classifier of ImageNet.

    Returns:
        dict[str, Tensor]: Keys of our segmentor; of a classifier those of the
        backbone, without a prefix and the level of 1/32.

    Raises:
        ValueError: Another network, or keys that are missing, unknown or of
            another shape.
    """
    if 'level5_0.act.weight' not in state_dict:
        return exchange(state_dict, _segmentor, (*_BACKBONE, *_HEAD),
                        "EdgeNets' ESPNetv2")
    backbone = exchange(
        {
            f'base_net.{key}': value
            for key, value in state_dict.items()
            if not key.startswith(_CLASSIFIER)
        }, lambda size: nn.ModuleDict(dict(backbone=_backbone(size))),
        _BACKBONE, "EdgeNets' ESPNetv2 of ImageNet")
    return {
        key.removeprefix('backbone.'): value
        for key, value in backbone.items()
    }


def revert_espnetv2(state_dict: StateDict) -> StateDict:
    """Convert our segmentor to the keys of EdgeNets, all of it or nothing.

    Args:
        state_dict (dict[str, Tensor]): Keys of our segmentor.

    Returns:
        dict[str, Tensor]: EdgeNets' keys.

    Raises:
        ValueError: As of :func:`convert_espnetv2`.
    """
    return exchange(
        state_dict,
        _segmentor, (*_BACKBONE, *_HEAD),
        'our ESPNetv2',
        reverse=True)


SOURCES['espnetv2'] = convert_espnetv2
TARGETS['espnetv2'] = revert_espnetv2

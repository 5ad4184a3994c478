# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Checkpoints of FastFCN's authors and of MMSegmentation's FastFCN."""
import torch
from torch import Tensor

from mmhires.utils.state_dict import rename

from .convert import SOURCES, TARGETS

# https://github.com/wuhuikai/FastFCN, whose ResNet, heads and ImageNet weights
# are those of PyTorch-Encoding.
_BACKBONE = (
    (r'pretrained\.conv1\.(\d)\.', r'backbone.stem.\1.'),
    (r'pretrained\.bn1\.', 'backbone.stem.7.'),
    (r'pretrained\.layer', 'backbone.layer'),
)
_JPU = (
    *((rf'jpu\.conv{level + 3}\.{i}\.', f'neck.conv_layers.{level}.0.{part}.')
      for level in range(3) for i, part in enumerate(('conv', 'bn'))),
    *((rf'jpu\.dilation{branch + 1}\.{theirs}\.',
       f'neck.dilation_layers.{branch}.0.{ours}.') for branch in range(4)
      for theirs, ours in (
          (r'0\.conv1', 'depthwise_conv.conv'),
          (r'0\.bn', 'depthwise_conv.bn'),
          (r'0\.pointwise', 'pointwise_conv.conv'),
          ('1', 'pointwise_conv.bn'),
      )),
)
_AUXILIARY = (
    (r'auxlayer\.conv5\.0\.', 'auxiliary_head.convs.0.conv.'),
    (r'auxlayer\.conv5\.1\.', 'auxiliary_head.convs.0.bn.'),
    (r'auxlayer\.conv5\.4\.', 'auxiliary_head.conv_seg.'),
)
_ENC_HEAD = (
    (r'head\.conv5\.0\.', 'decode_head.bottleneck.conv.'),
    (r'head\.conv5\.1\.', 'decode_head.bottleneck.bn.'),
    (r'head\.connect\.(\d)\.0\.', r'decode_head.lateral_convs.\1.conv.'),
    (r'head\.connect\.(\d)\.1\.', r'decode_head.lateral_convs.\1.bn.'),
    (r'head\.fusion\.0\.', 'decode_head.fusion.conv.'),
    (r'head\.fusion\.1\.', 'decode_head.fusion.bn.'),
    (r'head\.encmodule\.encoding\.0\.',
     'decode_head.enc_module.encoding_project.conv.'),
    (r'head\.encmodule\.encoding\.1\.',
     'decode_head.enc_module.encoding_project.bn.'),
    (r'head\.encmodule\.encoding\.3\.', 'decode_head.enc_module.encoding.0.'),
    (r'head\.encmodule\.encoding\.4\.', 'decode_head.enc_module.encoding.1.'),
    (r'head\.encmodule\.fc\.', 'decode_head.enc_module.fc.'),
    (r'head\.encmodule\.selayer\.', 'decode_head.se_layer.'),
    (r'head\.conv6\.1\.', 'decode_head.conv_seg.'),
)
_PSP_HEAD = (
    *((rf'head\.conv5\.0\.conv{scale + 1}\.{i}\.',
       f'decode_head.psp_modules.{scale}.1.{part}.') for scale in range(4)
      for i, part in enumerate(('conv', 'bn'))),
    (r'head\.conv5\.1\.', 'decode_head.bottleneck.conv.'),
    (r'head\.conv5\.2\.', 'decode_head.bottleneck.bn.'),
    (r'head\.conv5\.5\.', 'decode_head.conv_seg.'),
)
_ASPP_HEAD = (
    *((rf'head\.aspp\.b{branch}\.{i}\.',
       f'decode_head.aspp_modules.{branch}.{part}.') for branch in range(4)
      for i, part in enumerate(('conv', 'bn'))),
    (r'head\.aspp\.b4\.gap\.1\.', 'decode_head.image_pool.1.conv.'),
    (r'head\.aspp\.b4\.gap\.2\.', 'decode_head.image_pool.1.bn.'),
    (r'head\.aspp\.project\.0\.', 'decode_head.bottleneck.0.conv.'),
    (r'head\.aspp\.project\.1\.', 'decode_head.bottleneck.0.bn.'),
    (r'head\.block\.0\.', 'decode_head.bottleneck.2.conv.'),
    (r'head\.block\.1\.', 'decode_head.bottleneck.2.bn.'),
    (r'head\.block\.4\.', 'decode_head.conv_seg.'),
)
# A head is known by a key that the others do not have.
_HEADS = {
    'head.encmodule.encoding.3.codewords': _ENC_HEAD,
    'head.conv5.0.conv1.0.weight': _PSP_HEAD,
    'head.aspp.project.0.weight': _ASPP_HEAD,
}
# A part that comes alone: a key of it, where it belongs, and where ours does.
_PARTS = (
    ('dilation1.0.conv1.weight', 'jpu.', 'neck.'),
    ('layer1.0.conv1.weight', 'pretrained.', 'backbone.'),
)


def convert_authors(state_dict: dict[str, Tensor]) -> dict[str, Tensor]:
    """Convert a checkpoint of the authors.

    Whole models with the Encoding, PSP or ASPP head, with JPU or dilated. Of a
    JPU or an ImageNet backbone alone the keys come without a prefix, as they
    went in. The classifier of ImageNet is left out.

    Args:
        state_dict (dict[str, Tensor]): The authors' keys.

    Returns:
        dict[str, Tensor]: Our keys.

    Raises:
        KeyError: Keys that neither of these models has.
    """
    for key, theirs, ours in _PARTS:
        if key in state_dict:
            part = convert_authors({
                f'{theirs}{k}': v
                for k, v in state_dict.items()
            })
            return {k[len(ours):]: v for k, v in part.items()}
    head = next((rules for key, rules in _HEADS.items() if key in state_dict),
                ())
    converted = rename(
        {
            key: value
            for key, value in state_dict.items()
            if not key.startswith('pretrained.fc.')
        }, (*_BACKBONE, *_JPU, *_AUXILIARY, *head))
    project = 'decode_head.bottleneck.0.conv.weight'
    if project in converted:
        # Upstream's head, so ours, concatenates the pooled branch first.
        *branches, pooled = converted[project].chunk(5, dim=1)
        converted[project] = torch.cat([pooled, *branches], dim=1)
    return converted


def convert_mmseg(state_dict: dict[str, Tensor]) -> dict[str, Tensor]:
    """Convert a checkpoint of MMSegmentation's FastFCN.

    The result belongs to the MMSegmentation config that it was trained with,
    its neck replaced by ``mmhires.JPU(align_corners=False)``, which
    concatenates the maps in the opposite order. The configs of this repository
    have other backbones and heads.

    Args:
        state_dict (dict[str, Tensor]): Keys of MMSegmentation's
            ``EncoderDecoder`` with a JPU.

    Returns:
        dict[str, Tensor]: The same keys.

    Raises:
        KeyError: Keys that such a model does not have.
        ValueError: There is no JPU among the weights.
    """
    converted = rename(
        state_dict,
        [(rf'{part}\.', f'{part}.')
         for part in ('backbone', 'neck', 'decode_head', 'auxiliary_head')])
    if not any(k.startswith('neck.dilation_layers.') for k in converted):
        raise ValueError(
            'mmseg-fastfcn: there is no JPU (neck.dilation_layers.*) among '
            'these weights, so there is nothing to convert')
    levels = len({
        key.split('.')[2]
        for key in converted if key.startswith('neck.conv_layers.')
    })
    for key, value in converted.items():
        if key.startswith('neck.dilation_layers.') and value.ndim:
            if 'depthwise_conv' in key:
                converted[key] = _reverse(value, levels, dim=0)
            elif 'pointwise_conv.conv' in key:
                converted[key] = _reverse(value, levels, dim=1)
    return converted


def _reverse(weight: Tensor, groups: int, dim: int) -> Tensor:
    """Put groups of channels into the opposite order."""
    return torch.cat(weight.chunk(groups, dim)[::-1], dim)


SOURCES['fastfcn'] = convert_authors
# Reversing the order twice restores it.
SOURCES['mmseg-fastfcn'] = TARGETS['mmseg-fastfcn'] = convert_mmseg

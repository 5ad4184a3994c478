# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Checkpoints of the FastFCN authors and of MMSegmentation's FastFCN."""

import re

import torch

from mmhires.utils.state_dict import Rules, StateDict, refuse_unknown, translate


def _conv_bn(theirs: str, ours: str, first: int = 0) -> Rules:
    """Return the rules of a convolution and the norm layer beside it."""
    return (
        (rf'^{theirs}\.{first}\.', rf'{ours}.conv.'),
        (rf'^{theirs}\.{first + 1}\.', rf'{ours}.bn.'),
    )


# https://github.com/wuhuikai/FastFCN, whose ResNet, heads and ImageNet weights
# are those of PyTorch-Encoding.
_RULES = (
    (r'^pretrained\.conv1\.(\d)\.', r'backbone.stem.\1.'),
    (r'^pretrained\.bn1\.', 'backbone.stem.7.'),
    (r'^pretrained\.layer', 'backbone.layer'),
    *_conv_bn(r'jpu\.conv3', 'neck.conv_layers.0.0'),
    *_conv_bn(r'jpu\.conv4', 'neck.conv_layers.1.0'),
    *_conv_bn(r'jpu\.conv5', 'neck.conv_layers.2.0'),
    *(
        (rf'^jpu\.dilation{branch + 1}\.{theirs}\.', f'neck.dilation_layers.{branch}.0.{ours}.')
        for branch in range(4)
        for theirs, ours in (
            (r'0\.conv1', 'depthwise_conv.conv'),
            (r'0\.bn', 'depthwise_conv.bn'),
            (r'0\.pointwise', 'pointwise_conv.conv'),
            ('1', 'pointwise_conv.bn'),
        )
    ),
    *_conv_bn(r'auxlayer\.conv5', 'auxiliary_head.convs.0'),
    (r'^auxlayer\.conv5\.4\.', 'auxiliary_head.conv_seg.'),
    # EncNet
    *_conv_bn(r'head\.conv5', 'decode_head.bottleneck'),
    *_conv_bn(r'head\.connect\.(\d)', r'decode_head.lateral_convs.\1'),
    *_conv_bn(r'head\.fusion', 'decode_head.fusion'),
    *_conv_bn(r'head\.encmodule\.encoding', 'decode_head.enc_module.encoding_project'),
    (r'^head\.encmodule\.encoding\.3\.', 'decode_head.enc_module.encoding.0.'),
    (r'^head\.encmodule\.encoding\.4\.', 'decode_head.enc_module.encoding.1.'),
    (r'^head\.encmodule\.fc\.', 'decode_head.enc_module.fc.'),
    (r'^head\.encmodule\.selayer\.', 'decode_head.se_layer.'),
    (r'^head\.conv6\.1\.', 'decode_head.conv_seg.'),
    # DeepLabV3
    *_conv_bn(r'head\.aspp\.b([0-3])', r'decode_head.aspp_modules.\1'),
    *_conv_bn(r'head\.aspp\.b4\.gap', 'decode_head.image_pool.1', first=1),
    *_conv_bn(r'head\.aspp\.project', 'decode_head.bottleneck.0'),
    *_conv_bn(r'head\.block', 'decode_head.bottleneck.2'),
    (r'^head\.block\.4\.', 'decode_head.conv_seg.'),
)
# PSPNet has another meaning for `head.conv5`, so these come first.
_PSP_SIGN = 'head.conv5.0.conv1.0.weight'
_PSP_RULES = (
    *_conv_bn(r'head\.conv5\.0\.conv1', 'decode_head.psp_modules.0.1'),
    *_conv_bn(r'head\.conv5\.0\.conv2', 'decode_head.psp_modules.1.1'),
    *_conv_bn(r'head\.conv5\.0\.conv3', 'decode_head.psp_modules.2.1'),
    *_conv_bn(r'head\.conv5\.0\.conv4', 'decode_head.psp_modules.3.1'),
    *_conv_bn(r'head\.conv5', 'decode_head.bottleneck', first=1),
    (r'^head\.conv5\.5\.', 'decode_head.conv_seg.'),
)
# A part that comes alone: a key of it, where it belongs, and where ours does.
_PARTS = {
    'dilation1.0.conv1.weight': ('jpu.', 'neck.'),
    'layer1.0.conv1.weight': ('pretrained.', 'backbone.'),
}


def convert(state_dict: StateDict, source: str, reverse: bool) -> StateDict:
    """Convert weights of FastFCN.

    Args:
        state_dict: The source's keys, or ours.
        source: ``'fastfcn'``, the authors: whole models with the Encoding, PSP or ASPP head, with
            JPU or dilated. Of a JPU or an ImageNet backbone alone the keys come without a prefix,
            as they went in. The classifier of ImageNet is left out.
            ``'mmseg-fastfcn'``: keys of MMSegmentation's ``EncoderDecoder`` with a JPU. The result
            belongs to the MMSegmentation config that it was trained with, its neck replaced by
            ``mmhires.JPU(align_corners=False)``, which concatenates the maps in the opposite order.
            The configs of this repository have other backbones and heads.
        reverse: To the source's keys, of ``'mmseg-fastfcn'``.

    Returns:
        Our keys, of ``'mmseg-fastfcn'`` the same.

    Raises:
        KeyError: Keys that such a model does not have.
        ValueError: There is no JPU among MMSegmentation's weights.
    """
    # Reversing the order of MMSegmentation's maps twice restores it.
    return _from_authors(state_dict) if source == 'fastfcn' else _reverse_maps(state_dict)


def _from_authors(state_dict: StateDict) -> StateDict:
    theirs, ours = next((where for key, where in _PARTS.items() if key in state_dict), ('', ''))
    rules = _PSP_RULES * (_PSP_SIGN in state_dict) + _RULES
    names = {key: f'{theirs}{key}' for key in state_dict}
    names = {key: name for key, name in names.items() if not name.startswith('pretrained.fc.')}
    renamed = {key: translate(name, rules) for key, name in names.items()}
    refuse_unknown([name for key, name in names.items() if renamed[key] == name], state_dict)
    converted = {name: state_dict[key] for key, name in renamed.items()}
    project = 'decode_head.bottleneck.0.conv.weight'
    if project in converted:
        # Upstream's head, so ours, concatenates the pooled branch first.
        *branches, pooled = converted[project].chunk(5, dim=1)
        converted[project] = torch.cat([pooled, *branches], dim=1)
    return {key.removeprefix(ours): x for key, x in converted.items()}


def _reverse_maps(state_dict: StateDict) -> StateDict:
    parts = ('backbone.', 'neck.', 'decode_head.', 'auxiliary_head.')
    refuse_unknown([key for key in state_dict if not key.startswith(parts)], state_dict)
    levels = len({k.split('.')[2] for k in state_dict if 'conv_layers' in k})
    if not levels:
        raise ValueError(
            'mmseg-fastfcn: there is no JPU (neck.conv_layers.*) '
            'among these weights, so there is nothing to convert'
        )
    converted = dict(state_dict)
    for key, value in state_dict.items():
        # The maps are the input of the depthwise convolutions and their
        # normalisation, and that of the pointwise ones.
        part = re.match(r'neck\.dilation_layers\.\d\.0\.(depthwise|pointwise_conv\.conv)', key)
        if part and value.ndim:
            dim = 1 if 'pointwise' in key else 0
            converted[key] = torch.cat(value.chunk(levels, dim)[::-1], dim)
    return converted

# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Encoders of timm and MMPretrain for the compatibility table."""

import re
from pathlib import Path

FPN = 'sem_fpn/fpn_r50_4xb2-80k_cityscapes-512x1024'
PSPNET = 'pspnet/pspnet_r50-d8_4xb2-80k_cityscapes-512x1024'
DEEPLAB = 'deeplabv3plus/deeplabv3plus_r50-d8_4xb2-80k_cityscapes-512x1024'
UPERNET = 'upernet/upernet_r50_4xb2-80k_cityscapes-512x1024'


def timm(name: str, **options) -> dict:
    """A network of timm, its maps of strides 4 to 32."""
    return dict(type='mmpretrain.TIMMBackbone', model_name=name, features_only=True, **options)


# By row: config of MMSegmentation, backbone, widths of its four maps.
ENCODERS = {
    'timm resnet18, PSPNet': (
        PSPNET,
        timm('resnet18', output_stride=8, out_indices=(1, 2, 3, 4)),
        (64, 128, 256, 512),
    ),
    'timm efficientnet_b0, DeepLabV3+': (
        DEEPLAB,
        timm('efficientnet_b0', output_stride=8, out_indices=(1, 2, 3, 4)),
        (24, 40, 112, 320),
    ),
    'timm convnext_atto, UPerNet': (UPERNET, timm('convnext_atto'), (40, 80, 160, 320)),
    'timm swin_tiny_patch4_window7_224, UPerNet': (
        UPERNET,
        timm('swin_tiny_patch4_window7_224', img_size=(512, 1024), strict_img_size=False),
        (96, 192, 384, 768),
    ),
    'mmpretrain.EfficientNet b0, FPN': (
        FPN,
        dict(type='mmpretrain.EfficientNet', arch='b0', out_indices=(2, 3, 4, 6)),
        (24, 40, 112, 1280),
    ),
}


def write_config(row: str, folder: Path) -> Path:
    """Write the config of a row, as a user would.

    Args:
        row: A key of :data:`ENCODERS`.
        folder: Where.

    Returns:
        The file.
    """
    base, backbone, widths = ENCODERS[row]
    model = dict(pretrained=None, backbone=dict(backbone, _delete_=True))
    if base == FPN:
        model['neck'] = dict(in_channels=list(widths))
    elif base == UPERNET:
        model['decode_head'] = dict(in_channels=list(widths))
    else:
        model['decode_head'] = dict(in_channels=widths[-1])
    if base == DEEPLAB:
        model['decode_head'].update(c1_in_channels=widths[0])
    if base != FPN:
        model['auxiliary_head'] = dict(in_channels=widths[2])
    file = folder / f'{re.sub(r"[^a-zA-Z0-9]+", "_", row)}.py'
    file.write_text(
        f'_base_ = {"mmseg::" + base + ".py"!r}\n'
        'custom_imports = dict(\n'
        "    imports=['mmpretrain.models', 'mmhires'], "
        'allow_failed_imports=False)\n'
        f'model = {model!r}\n'
    )
    return file

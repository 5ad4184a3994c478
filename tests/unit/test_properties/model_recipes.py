# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Recipes of backbones, necks, context modules and heads, a few units wide."""

import copy
from functools import cache, partial

import torch
from hypothesis import strategies as st
from judging import (
    DTYPE,
    LABELS,
    NUM_CLASSES,
    Recipe,
    draw_batch_size,
    draw_label,
    draw_size,
    draw_tensor,
)
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample

from mmhires.models.backbones.low_res_backbone import with_image
from mmhires.registry import MODELS

WIDTHS, STRIDES = (4, 6, 8, 12), (4, 8, 16, 32)


@cache
def _built(name):
    torch.manual_seed(0)
    return MODELS.build(dict(type=f'mmhires.{name}', **copy.deepcopy(CONFIGS[name])))


def build(draw, name):
    """A copy of its own, as statistics of one case must not reach another."""
    return copy.deepcopy(_built(name)).train(draw(st.booleans()))


def autocast(kind, dtype):
    """bf16 where it is about types, and of those that can be mixed with it."""
    enabled = kind == DTYPE and dtype in (torch.float32, torch.bfloat16)
    return torch.autocast('cpu', torch.bfloat16, enabled=enabled)


def draw_maps(draw, kind, image_size, count, widths, strides, dtype):
    return tuple(
        draw_tensor(
            draw, kind, (count, width, *(-(-side // stride) for side in image_size)), dtype
        ).requires_grad_()
        for width, stride in zip(widths, strides)
    )


def draw_input_dtype(draw, kind):
    """Under autocast, or of another type than the weights have."""
    if kind != DTYPE:
        return torch.float32
    return draw(
        st.sampled_from(
            [
                torch.float32,
                torch.float32,
                torch.bfloat16,
                torch.bfloat16,
                torch.float16,
                torch.float64,
            ]
        )
    )


def outcome(module, values, inputs=()):
    """All that has to be finite: results, statistics and gradients."""
    if isinstance(values, torch.Tensor):
        values = [values]
    tensors = [x for x in values if x.requires_grad]
    gradients = (
        torch.autograd.grad(
            sum(x.float().sum() for x in tensors),
            [x for x in inputs if x.requires_grad],
            allow_unused=True,
        )
        if tensors and inputs
        else ()
    )
    statistics = [x for x in module.buffers() if x.is_floating_point()]
    return [*values, *statistics, *(x for x in gradients if x is not None)]


def backbone(draw, kind, name, largest=70):
    module = build(draw, name)
    size = draw_size(draw, kind, largest)
    images = draw_tensor(
        draw, kind, (draw_batch_size(draw, kind), 3, *size), draw_input_dtype(draw, kind)
    ).requires_grad_()

    def run():
        with autocast(kind, images.dtype):
            return outcome(module, module(images), [images])

    return run


def neck(draw, kind, name, widths=WIDTHS, strides=STRIDES, single=False):
    module = build(draw, name)
    maps = draw_maps(
        draw,
        kind,
        draw_size(draw, kind, 200),
        draw_batch_size(draw, kind),
        widths,
        strides,
        draw_input_dtype(draw, kind),
    )

    def run():
        with autocast(kind, maps[0].dtype):
            # Few read the image.
            out = module(maps[0] if single else with_image(maps, maps[0]))
        return outcome(module, out, maps)

    return run


def samples_of(labels, images=None):
    """Data samples of a batch, as a data preprocessor leaves them."""
    samples = []
    for i, label in enumerate(labels):
        size = tuple(label.shape[-2:])
        sample = SegDataSample(
            gt_sem_seg=PixelData(data=label[None]), metainfo=dict(img_shape=size, ori_shape=size)
        )
        if images is not None:
            sample.gt_img = PixelData(data=images[i])
        samples.append(sample)
    return samples


def decode_head(draw, kind, name, widths=WIDTHS, strides=STRIDES, scale=1):
    head = build(draw, name)
    size = draw_size(draw, kind, 60)
    count = draw_batch_size(draw, kind)
    maps = draw_maps(draw, kind, size, count, widths, strides, draw_input_dtype(draw, kind))
    full = [scale * side for side in size]
    label = draw_label(draw, kind, (count, *full))
    images = draw_tensor(draw, kind, (count, 3, *full))

    def run():
        inputs = with_image(maps, images)
        with autocast(kind, maps[0].dtype):
            if not head.training and kind != 'bad-label':
                return outcome(head, head(inputs), maps)
            losses = head.loss(inputs, samples_of(label, images), {})
        return outcome(head, list(losses.values()), maps)

    return run


def super_resolution(draw, kind, name):
    head = build(draw, name)
    size = draw_size(draw, kind, 60)
    count = draw_batch_size(draw, kind)
    maps = draw_maps(draw, kind, size, count, WIDTHS, STRIDES, draw_input_dtype(draw, kind))
    full = [2 * side for side in size]
    images = draw_tensor(draw, kind, (count, 3, *full))
    features = [2 * -(-side // 4) for side in size]

    def run():
        with autocast(kind, maps[0].dtype):
            feat, image = head(maps, features)
            return outcome(head, [feat, image, head.loss(image, images)], maps)

    return run


HEAD = dict(num_classes=NUM_CLASSES, channels=8, norm_cfg=dict(type='BN'))
LAST = dict(HEAD, in_channels=12, in_index=3)
SISR = dict(in_channels=[4, 12], in_index=[0, 3], channels=6, upscale=4)
CONFIGS = {
    'DDRNet': dict(arch=dict(channels=4, depths=(1, 1, 1, 1))),
    'ESPNetv2': dict(scale=0.5),
    'DABNet': dict(dilations=((2,), (4,))),
    'BiSeNetV1': dict(
        backbone_cfg=dict(
            type='mmseg.ResNet',
            depth=18,
            base_channels=4,
            stem_channels=4,
            norm_cfg=dict(type='BN'),
        ),
        spatial_channels=(4, 4, 4, 8),
        context_channels=(8, 16, 32),
        out_channels=8,
    ),
    'LowResBackbone': dict(
        backbone=dict(type='mmhires.DABNet', dilations=((2,), (4,))), scale=1.5, min_size=1
    ),
    'LowResNeck': dict(neck=dict(type='mmhires.BilinearUpsample')),
    'BilinearUpsample': dict(),
    'FPNUpsample': dict(in_channels=(6, 8, 12), out_channels=6),
    'JPU': dict(in_channels=(6, 8, 12), mid_channels=4),
    'SRRNeck': dict(in_channels=12, bottleneck=4),
    'DDRNetClsNeck': dict(in_channels=[4, 16], out_channels=10),
    'DAPPM': dict(in_channels=12, out_channels=6, channels=4),
    'SimplifiedPPM': dict(in_channels=12, out_channels=6, channels=8),
    'ASPPHead': dict(LAST, dilations=(1, 2)),
    'DeepLabV2Head': dict(in_channels=12, in_index=3, num_classes=NUM_CLASSES, dilations=(1, 2)),
    'PreActHead': LAST,
    'DABNetHead': dict(in_channels=12, in_index=3, num_classes=NUM_CLASSES),
    'EncHead': dict(HEAD, in_channels=[6, 8, 12], in_index=[1, 2, 3], num_codes=4),
    'DAPPMHead': dict(
        HEAD, in_channels=[6, 12], in_index=[1, 3], context=dict(type='mmhires.DAPPM', channels=4)
    ),
    'ESPNetv2Head': dict(HEAD, in_channels=WIDTHS, widths=(4, 4, 4)),
    'SISRHead': SISR,
    'DSRLHead': dict(
        seg_head=dict(HEAD, type='mmseg.FCNHead', in_channels=4, in_index=0, num_convs=1),
        sssr_channels=6,
        sisr_head=dict(SISR, type='mmhires.SISRHead'),
        loss_fa=dict(type='mmhires.FALoss', subsample=1),
    ),
    'GuidedHead': dict(
        head=dict(HEAD, type='mmseg.FCNHead', in_channels=4, in_index=0, num_convs=1), channels=6
    ),
}

HEADS = (
    'ASPPHead',
    'DeepLabV2Head',
    'PreActHead',
    'EncHead',
    'DAPPMHead',
    'ESPNetv2Head',
    'DABNetHead',
)
NECKS = ('BilinearUpsample', 'FPNUpsample', 'JPU', 'LowResNeck', 'SRRNeck')
PARTS = {
    'DDRNet': Recipe(partial(backbone, name='DDRNet'), examples=6),
    **{
        name: Recipe(partial(backbone, name=name), examples=4)
        for name in ('ESPNetv2', 'DABNet', 'BiSeNetV1', 'LowResBackbone')
    },
    'SISRHead': Recipe(partial(super_resolution, name='SISRHead')),
    'DSRLHead': Recipe(partial(decode_head, name='DSRLHead', scale=2), LABELS),
    'GuidedHead': Recipe(partial(decode_head, name='GuidedHead', scale=2), LABELS),
    'DDRNetClsNeck': Recipe(partial(neck, name='DDRNetClsNeck', widths=(4, 16), strides=(8, 32))),
    **{name: Recipe(partial(neck, name=name)) for name in NECKS},
    **{
        name: Recipe(partial(neck, name=name, widths=(12,), strides=(16,), single=True))
        for name in ('DAPPM', 'SimplifiedPPM')
    },
    **{name: Recipe(partial(decode_head, name=name), LABELS) for name in HEADS},
}

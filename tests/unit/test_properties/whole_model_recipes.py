# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Recipes of what takes batches as a data loader makes them."""

import copy
from functools import cache, partial

import torch
from hypothesis import strategies as st
from judging import (
    DTYPE,
    EMPTY,
    LABELS,
    NAN,
    NUM_CLASSES,
    ONE_PIXEL,
    ORDINARY,
    SHAPES,
    Recipe,
    draw_batch_size,
    draw_label,
    draw_size,
    draw_tensor,
)
from mmengine.config import ConfigDict
from mmengine.registry import DefaultScope
from mmengine.structures import InstanceData, PixelData
from model_recipes import CONFIGS, build, draw_maps, outcome, samples_of

from mmhires.registry import MODELS

STATISTICS = dict(mean=[120.0, 110.0, 100.0], std=[50.0, 60.0, 70.0])
LOW_RES = dict(type='mmhires.LowResSegDataPreProcessor', scale=2, min_size=16, **STATISTICS)
RESNET = dict(
    type='ResNet',
    depth=18,
    base_channels=4,
    stem_channels=4,
    dilations=(1, 1, 2, 4),
    strides=(1, 2, 1, 1),
    norm_cfg=dict(type='BN'),
)
PLAIN = dict(
    backbone=RESNET,
    decode_head=dict(
        type='mmhires.DeepLabV2Head',
        in_channels=32,
        in_index=3,
        num_classes=NUM_CLASSES,
        loss_decode=dict(type='mmhires.WeightedCrossEntropyLoss'),
    ),
    test_cfg=dict(mode='whole'),
)
MODEL_CONFIGS = {
    'HRFR': dict(
        PLAIN,
        neck=dict(type='mmhires.SRRNeck', in_channels=32, bottleneck=8, aux_channels=(8, 16)),
        teacher=dict(
            PLAIN,
            type='EncoderDecoder',
            data_preprocessor=dict(type='SegDataPreProcessor', **STATISTICS),
        ),
        teacher_ckpt=None,
        init_student=False,
    ),
    'DistilledSegmentor': dict(
        PLAIN,
        teacher=dict(
            PLAIN,
            type='EncoderDecoder',
            data_preprocessor=dict(type='SegDataPreProcessor', **STATISTICS),
        ),
    ),
    'SuperResolvingSegmentor': dict(
        PLAIN,
        decode_head=dict(
            CONFIGS['DSRLHead'],
            type='mmhires.DSRLHead',
            seg_head=dict(CONFIGS['DSRLHead']['seg_head'], in_channels=32, in_index=3),
            sisr_head=dict(
                type='mmhires.SISRHead', in_channels=[4, 32], in_index=[0, 3], channels=4, upscale=8
            ),
        ),
    ),
}


@cache
def _model(name):
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope('mmseg'):
        model = MODELS.build(
            ConfigDict(
                copy.deepcopy(MODEL_CONFIGS[name]),
                type=f'mmhires.{name}',
                data_preprocessor=LOW_RES,
            )
        )
        if name in ('HRFR', 'DistilledSegmentor'):
            assert model.teacher
    return model


def draw_images(draw, kind, count, sizes):
    """Of the types that pipelines make: 8 bits, or floats of any width."""
    dtypes = [torch.uint8, torch.int16, torch.float16, torch.float64]
    dtype = draw(st.sampled_from(dtypes)) if kind == DTYPE else torch.uint8
    images = []
    for _, (height, width) in zip(range(count), sizes):
        image = draw_tensor(draw, kind, (3, height, width))
        images.append(image if kind == NAN else (128 + 40 * image).clamp(0, 255).to(dtype))
    return images


def draw_batch(draw, kind, smallest=2, largest=60, same_size=True, step=1):
    count = draw_batch_size(draw, kind)
    sizes = [draw_size(draw, kind, largest // step) for _ in range(1 if same_size else count)] or [
        (smallest, smallest)
    ]
    if kind != ONE_PIXEL:
        sizes = [[max(smallest, step * side) for side in size] for size in sizes]
    sizes = sizes * count if same_size else sizes
    images = draw_images(draw, kind, count, sizes)
    labels = [draw_label(draw, kind, tuple(size)) for size in sizes[:count]]
    return dict(inputs=images, data_samples=samples_of(labels))


def segmentor(draw, kind, name):
    model = copy.deepcopy(_model(name))
    train = draw(st.booleans()) or kind == 'bad-label'
    batch = draw_batch(draw, kind, smallest=32, largest=64)

    def run():
        with DefaultScope.overwrite_default_scope('mmseg'):
            data = model.train(train).data_preprocessor(batch, train)
            if train:
                losses = model.loss(**data)
                values = [
                    x
                    for loss in losses.values()
                    for x in (loss if isinstance(loss, list) else [loss])
                ]
                return outcome(model, values, list(model.parameters()))
            with torch.no_grad():
                samples = model.predict(**data)
            return [sample.seg_logits.data for sample in samples]

    return run


def seg_preprocessor(draw, kind):
    train = draw(st.booleans())
    module = MODELS.build(dict(LOW_RES, scale=draw(st.integers(1, 3)), min_size=2))
    batch = draw_batch(draw, kind, smallest=6, same_size=not train)

    def run():
        data = module(batch, train)
        images = [sample.gt_img.data for sample in data['data_samples']] if train else []
        return [data['inputs'], *images]

    return run


def pose_preprocessor(draw, kind):
    from mmpose.structures import PoseDataSample

    train, scale = draw(st.booleans()), draw(st.integers(1, 3))
    module = MODELS.build(
        dict(type='mmhires.LowResPoseDataPreprocessor', scale=scale, **STATISTICS)
    )
    batch = draw_batch(draw, kind, step=scale)
    batch['data_samples'] = [PoseDataSample() for _ in batch['inputs']]

    def run():
        data = module(batch, train)
        images = [sample.gt_img.data for sample in data['data_samples']] if train else []
        return [data['inputs'], *images]

    return run


KEYPOINTS = 5
POSE_HEAD = dict(
    heatmap_head=dict(
        type='mmpose.HeatmapHead',
        in_channels=8,
        out_channels=KEYPOINTS,
        deconv_out_channels=(6,),
        deconv_kernel_sizes=(4,),
        loss=dict(type='mmpose.KeypointMSELoss', use_target_weight=True),
    ),
    sssr_channels=6,
    sisr_head=dict(type='mmhires.SISRHead', in_channels=[4, 8], in_index=[0, 1]),
    loss_fa=dict(type='mmhires.FALoss', subsample=2),
)
CONFIGS['DSRLHeatmapHead'] = POSE_HEAD

POSE_BACKBONE = dict(type='mmpose.ResNet', depth=18, base_channels=4, stem_channels=4)
POSE_NET = dict(
    backbone=POSE_BACKBONE,
    head=dict(POSE_HEAD['heatmap_head'], in_channels=32, deconv_out_channels=(6,)),
)


def distilled_pose(draw, kind):
    from mmpose.structures import PoseDataSample

    with DefaultScope.overwrite_default_scope('mmpose'):
        model = MODELS.build(
            ConfigDict(
                copy.deepcopy(POSE_NET),
                type='mmhires.DistilledPoseEstimator',
                data_preprocessor=dict(type='mmhires.LowResPoseDataPreprocessor', **STATISTICS),
                teacher=dict(
                    POSE_NET,
                    type='TopdownPoseEstimator',
                    data_preprocessor=dict(type='PoseDataPreprocessor', **STATISTICS),
                ),
            )
        )
        assert model.teacher
    batch = draw_batch(draw, kind, smallest=64, largest=128, step=64)
    batch['data_samples'] = [
        PoseDataSample(
            gt_fields=PixelData(
                heatmaps=torch.rand(KEYPOINTS, image.shape[1] // 32, image.shape[2] // 32)
            ),
            gt_instance_labels=InstanceData(keypoint_weights=torch.ones(1, KEYPOINTS)),
        )
        for image in batch['inputs']
    ]

    def run():
        with DefaultScope.overwrite_default_scope('mmpose'):
            data = model.data_preprocessor(batch, True)
            losses = model.loss(**data)
            return outcome(model, list(losses.values()), list(model.parameters()))

    return run


def heatmap_head(draw, kind):
    from mmpose.structures import PoseDataSample

    head = build(draw, 'DSRLHeatmapHead')
    count, size = draw_batch_size(draw, kind), draw_size(draw, kind, 6)
    # Crops whose sides are multiples of the stride, as codecs ask for.
    full = [16 * side for side in size]
    maps = draw_maps(draw, kind, [side // 2 for side in full], count, (4, 8), (4, 8), torch.float32)
    visible = draw(st.sampled_from([0.0, 0.5, 1.0]))
    samples = [
        PoseDataSample(
            gt_fields=PixelData(heatmaps=torch.rand(KEYPOINTS, *(side // 4 for side in full))),
            gt_instance_labels=InstanceData(keypoint_weights=torch.full((1, KEYPOINTS), visible)),
            gt_img=PixelData(data=draw_tensor(draw, kind, (3, *full))),
            metainfo=dict(flip_indices=[0, 2, 1, 4, 3]),
        )
        for _ in range(count)
    ]

    def run():
        if not head.training:
            return outcome(head, [head(maps)], maps)
        losses = head.loss(maps, samples, dict(compute_acc=False))
        return outcome(head, list(losses.values()), maps)

    return run


WHOLE = {
    'HRFR': Recipe(partial(segmentor, name='HRFR'), LABELS, 3, refuses=(NAN, EMPTY)),
    'DistilledSegmentor': Recipe(
        partial(segmentor, name='DistilledSegmentor'), LABELS, 3, refuses=(NAN, EMPTY)
    ),
    'SuperResolvingSegmentor': Recipe(
        partial(segmentor, name='SuperResolvingSegmentor'), LABELS, 6, refuses=(NAN, EMPTY)
    ),
    'LowResSegDataPreProcessor': Recipe(seg_preprocessor, SHAPES, 20, refuses=(NAN, EMPTY)),
    'LowResPoseDataPreprocessor': Recipe(
        pose_preprocessor, SHAPES, 20, (NAN, EMPTY), needs=('mmpose',)
    ),
    'DistilledPoseEstimator': Recipe(distilled_pose, (ORDINARY,), 3, needs=('mmpose',)),
    'DSRLHeatmapHead': Recipe(
        heatmap_head, (ORDINARY, ONE_PIXEL, EMPTY, NAN), 10, needs=('mmpose',)
    ),
}

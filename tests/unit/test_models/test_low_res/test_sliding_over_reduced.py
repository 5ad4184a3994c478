# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Sliding windows and validation losses of images that are reduced."""

import copy

import pytest
import torch
import torch.nn.functional as F
from mmengine.config import ConfigDict
from mmengine.registry import init_default_scope
from mmengine.structures import PixelData
from mmseg.models import SegTTAModel
from mmseg.models.decode_heads.cascade_decode_head import BaseCascadeDecodeHead
from mmseg.structures import SegDataSample

from mmhires.registry import MODELS

NORM = dict(type='BN')
STATISTICS = dict(mean=[128.0] * 3, std=[64.0] * 3)
FCN = dict(
    type='FCNHead',
    in_channels=3,
    channels=3,
    num_convs=0,
    concat_input=False,
    in_index=0,
    num_classes=3,
    dropout_ratio=0.0,
    norm_cfg=None,
)
DSRL = dict(type='mmhires.DSRLHead', seg_head=FCN, sssr='logits')
BRIGHT = (slice(40, 90), slice(80, 140))


@MODELS.register_module()
class SeeThrough(torch.nn.Module):
    """A backbone whose map is the image."""

    def forward(self, x):
        return (x,)


@MODELS.register_module()
class FirstAgain(BaseCascadeDecodeHead):
    """The second stage of a cascade, which classifies the image anew."""

    def forward(self, inputs, prev_output):
        return self.cls_seg(self._transform_inputs(inputs))


def build(test_cfg=None, decode_head=FCN, scale=2, padding=None, **model):
    """A network that sees class 1 where a pixel is bright."""
    init_default_scope('mmseg')
    torch.manual_seed(0)
    pre = dict(
        type='mmhires.LowResSegDataPreProcessor',
        scale=scale,
        min_size=1,
        test_cfg=padding,
        **STATISTICS,
    )
    cfg = dict(
        dict(
            type='EncoderDecoder',
            data_preprocessor=pre,
            backbone=dict(type='mmhires.SeeThrough'),
            decode_head=decode_head,
            test_cfg=test_cfg or dict(mode='whole'),
        ),
        **model,
    )
    model = MODELS.build(ConfigDict(copy.deepcopy(cfg))).eval()
    heads = model.decode_head
    for head in heads if isinstance(heads, torch.nn.ModuleList) else [heads]:
        head.conv_seg.weight.data.zero_()
        head.conv_seg.weight.data[1] = 1.0
        head.conv_seg.bias.data.zero_()
    return model


def batch(size=(100, 150), count=1):
    """Images of a bright rectangle, moved a little in each."""
    images, samples = [], []
    for i in range(count):
        image = torch.zeros(3, *size, dtype=torch.uint8)
        image[(slice(None), *BRIGHT)] = 255
        images.append(image.roll(5 * i, 2))
        sample = SegDataSample(metainfo=dict(ori_shape=size, img_shape=size, img_path=''))
        sample.gt_sem_seg = PixelData(data=(images[-1][:1] > 0).long())
        samples.append(sample)
    return dict(inputs=images, data_samples=samples)


def iou(sample):
    predicted = sample.pred_sem_seg.data == 1
    truth = sample.gt_sem_seg.data == 1
    return float((predicted & truth).sum() / (predicted | truth).sum())


def slide(crop, stride):
    return dict(mode='slide', crop_size=crop, stride=stride)


TAUGHT = dict(
    type='mmhires.DistilledSegmentor',
    teacher=dict(
        type='EncoderDecoder',
        data_preprocessor=dict(type='SegDataPreProcessor', **STATISTICS),
        backbone=dict(type='mmhires.SeeThrough'),
        decode_head=FCN,
    ),
)
CASCADE = dict(
    type='CascadeEncoderDecoder',
    num_stages=2,
    decode_head=[
        FCN,
        dict(type='mmhires.FirstAgain', in_channels=3, channels=3, in_index=0, num_classes=3),
    ],
)


@pytest.mark.parametrize(
    'settings',
    [
        dict(),
        dict(scale=4),
        dict(scale=3, padding=dict(size_divisor=48)),
        dict(scale=1.5),
        dict(scale=2.5, padding=dict(size=(128, 192))),
        dict(scale=45 / 32),
        dict(scale=1.5, decode_head=dict(DSRL, scale=1.5)),
        dict(scale=3, decode_head=dict(DSRL, scale=3)),
        dict(padding=dict(size_divisor=64)),
        dict(padding=dict(size=(128, 192))),
        dict(decode_head=DSRL),
        dict(decode_head=DSRL, padding=dict(size_divisor=64)),
        TAUGHT,
        CASCADE,
    ],
    ids=lambda settings: str(settings)[:40],
)
@pytest.mark.parametrize(
    'crop, step', [((48, 64), (32, 48)), ((49, 65), (33, 43)), ((512, 512), (341, 341))]
)
def test_windows_see_what_the_whole_image_shows(settings, crop, step):
    settings = dict(settings)
    for size in ((100, 150), (101, 149)):
        (whole,) = build(**settings).test_step(batch(size))
        (glued,) = build(slide(crop, step), **settings).test_step(batch(size))
        assert glued.seg_logits.shape == whole.seg_logits.shape == size
        assert iou(whole) > 0.94 and iou(glued) > 0.94
        agree = glued.pred_sem_seg.data == whole.pred_sem_seg.data
        assert agree.float().mean() > 0.997


def test_windows_of_a_fraction_begin_and_end_at_whole_pixels():
    """Of a scale of 3/2 two pixels of the network are three of the image."""
    model, seen = build(slide((32, 20), (20, 9)), scale=1.5), []
    model.backbone.register_forward_pre_hook(
        lambda module, args: seen.append(tuple(args[0].shape[-2:]))
    )
    (result,) = model.test_step(batch((63, 30)))
    # 21 x 10 cells, windows of 11 x 7 cells in steps of 6 and 3
    assert seen == [(22, 14)] * (3 * 2)
    assert result.seg_logits.shape == (63, 30)


def test_a_single_window_is_the_whole_image():
    (whole,) = build().test_step(batch())
    (glued,) = build(slide((200, 200), (100, 100))).test_step(batch())
    assert torch.equal(glued.seg_logits.data, whole.seg_logits.data)


def test_windows_are_the_multiples_of_scale_nearest_to_full_size_pixels():
    """crop_size 513 and stride 341 are those of many configs of MMSeg."""
    model, seen = build(slide((33, 17), (21, 9)), scale=4), []
    model.backbone.register_forward_pre_hook(
        lambda module, args: seen.append(tuple(args[0].shape[-2:]))
    )
    model.test_step(batch((64, 32)))
    # 9 x 5 pixels of 16 x 8, in steps of 5 and 2
    assert seen == [(9, 5)] * (3 * 3)


def test_overlapping_windows_are_averaged_at_full_size():
    model = build(slide((64, 64), (32, 32)), decode_head=DSRL)
    data = model.data_preprocessor(batch((64, 96)), False)
    metas = [sample.metainfo for sample in data['data_samples']]
    got = model.slide_inference(data['inputs'], metas)
    total, count = torch.zeros(1, 3, 64, 96), torch.zeros(64, 96)
    for left in (0, 32):
        window = data['inputs'][..., left // 2 : left // 2 + 32]
        total[..., left : left + 64] += F.interpolate(
            model.decode_head((window,)), (64, 64), mode='bilinear'
        )
        count[:, left : left + 64] += 1
    torch.testing.assert_close(got, total / count)
    assert metas[0]['img_shape'] == (64, 96)


def test_each_image_of_a_batch_has_its_own_windows():
    model = build(slide((48, 64), (32, 48)), padding=dict(size_divisor=64))
    alone = [
        model.test_step(dict(inputs=[image], data_samples=[copy.deepcopy(sample)]))[0]
        for image, sample in zip(*batch(count=3).values())
    ]
    for got, want in zip(model.test_step(batch(count=3)), alone):
        assert torch.equal(got.seg_logits.data, want.seg_logits.data)


def test_small_images_are_slid_over_in_pixels_of_the_prediction():
    small = batch()
    small['inputs'] = [image[:, ::2, ::2] for image in small['inputs']]
    model = build(slide((48, 64), (32, 48)))
    model.data_preprocessor.low_res_input = True
    for sample in small['data_samples']:
        sample.set_metainfo(dict(ori_shape=(50, 75), img_shape=(50, 75)))
    (result,) = model.test_step(small)
    assert result.seg_logits.shape == (100, 150) and iou(result) > 0.94


def test_flipped_windows_come_back_where_they_were():
    model = build(slide((48, 64), (32, 48)), decode_head=DSRL, padding=dict(size_divisor=64))
    plain, mirrored = batch(), batch()
    mirrored['inputs'] = [x.flip(2) for x in mirrored['inputs']]
    mirrored['data_samples'][0].set_metainfo(dict(flip=True, flip_direction='horizontal'))
    tta = SegTTAModel(module=model)
    (result,) = tta.test_step(
        dict(
            inputs=[plain['inputs'], mirrored['inputs']],
            data_samples=[plain['data_samples'], mirrored['data_samples']],
        )
    )
    assert iou(result) > 0.94


def test_the_sliding_mode_of_depth_is_refused():
    model = build(dict(slide((48, 64), (32, 48)), mode='slide_flip'), type='DepthEstimator')
    with pytest.raises(NotImplementedError, match="DepthEst.*mode='slide'"):
        model.test_step(batch())


def test_without_data_samples_the_size_is_that_of_the_whole_image():
    image = torch.randn(1, 3, 50, 75)
    for head in (FCN, DSRL):
        whole, glued = (
            build(cfg, decode_head=head)(image, mode='predict')[0]
            for cfg in (None, slide((48, 64), (32, 48)))
        )
        assert glued.seg_logits.shape == whole.seg_logits.shape


def test_a_super_resolved_image_is_glued_too(streets_config, tmp_path, random_batch):
    cfg = streets_config(tmp_path)
    init_default_scope(cfg.default_scope)
    cfg.model.type = 'mmhires.SuperResolvingSegmentor'
    cfg.model.test_cfg = slide((64, 64), (32, 32))
    model, data = MODELS.build(cfg.model).eval(), random_batch(11, (97, 131))
    model.decode_head.super_resolve = lambda maps, inputs: F.interpolate(inputs, scale_factor=2)
    with torch.no_grad():
        result = model.test_step(copy.deepcopy(data))[0]
    small = model.data_preprocessor(data, False)['inputs']
    want = F.interpolate(small, scale_factor=2)[0, :, :97, :131]
    pre = model.data_preprocessor
    want = (want * pre.std + pre.mean).flip(0).clamp(0, 255)
    torch.testing.assert_close(result.pred_img.data, want, atol=1e-3, rtol=1e-5)


RESNET = dict(type='ResNet', depth=18, base_channels=4, stem_channels=4, norm_cfg=NORM)
DEEP = dict(
    type='FCNHead',
    in_channels=32,
    in_index=3,
    channels=8,
    num_convs=1,
    norm_cfg=NORM,
    dropout_ratio=0.0,
    num_classes=5,
)
SISR = dict(type='mmhires.SISRHead', in_channels=32, channels=8, upscale=32)
FA = dict(type='mmhires.FALoss', subsample=1)
TEACHER = dict(
    type='EncoderDecoder',
    data_preprocessor=dict(type='SegDataPreProcessor', **STATISTICS),
    backbone=RESNET,
    decode_head=DEEP,
    test_cfg=dict(mode='whole'),
)
MODELS_WITH_LOSSES = dict(
    plain=dict(auxiliary_head=dict(DEEP, in_channels=16, in_index=2)),
    low_res_label=dict(low_res_label=True),
    DSRL=dict(
        auxiliary_head=dict(DEEP, in_channels=16, in_index=2),
        decode_head=dict(
            type='mmhires.DSRLHead', seg_head=DEEP, sisr_head=dict(SISR, residual=True), loss_fa=FA
        ),
    ),
    distilled=dict(
        type='mmhires.DistilledSegmentor',
        teacher=TEACHER,
        distill_losses=[
            dict(type='mmhires.LogitDistillLoss'),
            dict(type='mmhires.ChannelWiseDistillLoss', on='features'),
            dict(FA, on=3),
        ],
    ),
    HRFR=dict(
        type='mmhires.HRFR',
        teacher=TEACHER,
        teacher_ckpt=None,
        neck=dict(type='mmhires.SRRNeck', in_channels=32, bottleneck=8, aux_channels=(8, 16)),
        loss_srr=dict(
            type='mmhires.BoundaryReweightedLoss', loss=dict(type='mmhires.FeatureL2Loss')
        ),
    ),
)


def at_scale(cfg, scale):
    """A config whose parts that know a scale have another one."""
    if isinstance(cfg, list):
        return [at_scale(value, scale) for value in cfg]
    if not isinstance(cfg, dict):
        return cfg
    cfg = {key: at_scale(value, scale) for key, value in cfg.items()}
    if cfg.get('type') in ('mmhires.DSRLHead', 'mmhires.SRRNeck'):
        cfg['scale'] = scale
    return cfg


def trainable(low_res_label=False, scale=2, **settings):
    init_default_scope('mmseg')
    torch.manual_seed(0)
    settings = at_scale(settings, scale)
    divisor = 64 if scale == 2 else int(32 * scale)
    pre = dict(
        type='mmhires.LowResSegDataPreProcessor',
        scale=scale,
        size_divisor=divisor,
        low_res_label=low_res_label,
        test_cfg=dict(size_divisor=divisor),
        **STATISTICS,
    )
    cfg = dict(dict(TEACHER, train_cfg=dict(), data_preprocessor=pre), **settings)
    return MODELS.build(ConfigDict(copy.deepcopy(cfg))).eval()


@pytest.mark.parametrize('name', MODELS_WITH_LOSSES)
@pytest.mark.parametrize(
    'size, scale', [((64, 128), 2), ((100, 150), 2), ((100, 150), 1.5), ((90, 100), 3)]
)
def test_a_validation_loss_is_the_training_loss(name, size, scale, random_batch):
    model = trainable(scale=scale, **MODELS_WITH_LOSSES[name])
    data = random_batch(5, size)
    want = model.loss(**model.data_preprocessor(copy.deepcopy(data), True))
    prepared = model.data_preprocessor(copy.deepcopy(data), False)
    with torch.no_grad():
        ways = [
            model.loss(**prepared),
            model(**prepared, mode='loss'),
            model(**model.data_preprocessor(copy.deepcopy(data), True), mode='loss'),
        ]
        predicted = model(**prepared, mode='predict')
    for got in ways:
        torch.testing.assert_close(got, want, rtol=1e-5, atol=1e-6)
    # What metrics read is as before: no padding, no image.
    for sample, given in zip(predicted, data['data_samples']):
        assert torch.equal(sample.gt_sem_seg.data, given.gt_sem_seg.data)
        assert 'gt_img' not in sample and 'gt_img' not in sample.to_dict()


def test_labels_of_images_that_a_test_pipeline_resized_are_resized_too(random_batch):
    model, data = trainable(**MODELS_WITH_LOSSES['DSRL']), random_batch(5, (64, 96))
    for sample in data['data_samples']:
        label = sample.gt_sem_seg.data.float()[None]
        sample.gt_sem_seg = PixelData(data=F.interpolate(label, scale_factor=2)[0].long())
    got = model.loss(**model.data_preprocessor(data, False))
    want = model.loss(**model.data_preprocessor(random_batch(5, (64, 96)), True))
    torch.testing.assert_close(got, want)


def test_small_images_have_no_loss_and_say_which_preprocessor_has():
    model = trainable(**MODELS_WITH_LOSSES['DSRL'])
    model.data_preprocessor.low_res_input = True
    data = model.data_preprocessor(batch((64, 96)), False)
    with pytest.raises(KeyError, match='gt_img.*keeps it of samples with'):
        model.loss(**data)


@pytest.mark.parametrize('name', ['DSRL', 'distilled', 'HRFR'])
def test_real_networks_predict_a_window_as_they_predict_an_image(name, random_batch):
    model, data = trainable(**MODELS_WITH_LOSSES[name]), random_batch(5, (101, 151))
    whole = model.test_step(copy.deepcopy(data))
    # 128 x 192 pixels with padding: two windows side by side
    model.test_cfg = ConfigDict(slide((128, 128), (64, 64)))
    glued = model.test_step(copy.deepcopy(data))
    inputs = model.data_preprocessor(data, False)['inputs']
    windows = [
        model.encode_decode(inputs[..., left : left + 64], [dict(img_shape=(128, 128))])
        for left in (0, 32)
    ]
    for i, (got, image) in enumerate(zip(glued, whole)):
        assert got.seg_logits.shape == image.seg_logits.shape == (101, 151)
        left, right = (window[i, :, :101] for window in windows)
        want = torch.cat(
            [left[..., :64], (left[..., 64:] + right[..., :64]) / 2, right[..., 64:]], 2
        )[..., :151]
        torch.testing.assert_close(got.seg_logits.data, want)
    model.test_cfg = ConfigDict(slide((512, 512), (341, 341)))
    for got, want in zip(model.test_step(copy.deepcopy(data)), whole):
        assert torch.equal(got.seg_logits.data, want.seg_logits.data)

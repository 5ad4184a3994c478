# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
import copy

import pytest
import torch
import torch.nn.functional as F
from mmengine.structures import PixelData
from mmseg.models.decode_heads import EncHead as UpstreamEncHead
from mmseg.structures import SegDataSample
from torch import nn

from mmhires.models.layers.encoding import Encoding
from mmhires.registry import MODELS

SETTINGS = dict(
    in_channels=[6, 10],
    in_index=[0, 2],
    channels=8,
    num_codes=4,
    num_classes=5,
    norm_cfg=dict(type='BN'),
    loss_decode=dict(type='mmseg.CrossEntropyLoss', avg_non_ignore=True),
    loss_se_decode=dict(type='mmseg.CrossEntropyLoss', use_sigmoid=True, loss_weight=0.2),
)


def build(**settings):
    torch.manual_seed(0)
    return MODELS.build(copy.deepcopy(dict(type='mmhires.EncHead', **SETTINGS) | settings))


def features():
    generator = torch.Generator().manual_seed(0)
    return [
        torch.randn(2, width, size, size + 2, generator=generator)
        for width, size in ((6, 8), (7, 8), (10, 8))
    ]


def samples():
    """Of classes 0 and 3, and of class 1 alone, with ignored pixels."""
    labels = torch.full((2, 1, 16, 20), 255)
    labels[0, :, 2:9], labels[0, :, 11:] = 0, 3
    labels[1, :, :5] = 1
    return [SegDataSample(gt_sem_seg=PixelData(data=label)) for label in labels]


@pytest.mark.parametrize('add_lateral', [False, True])
def test_upstreams_weights_give_upstreams_answer(add_lateral):
    upstream = UpstreamEncHead(**copy.deepcopy(SETTINGS), add_lateral=add_lateral).eval()
    head = build(add_lateral=add_lateral).eval()
    assert isinstance(head.enc_module.encoding[0], Encoding)
    head.load_state_dict(upstream.state_dict())
    for got, expected in zip(head(features()), upstream(features())):
        torch.testing.assert_close(got, expected, rtol=1e-5, atol=1e-5)


def test_a_1x1_bottleneck_sees_one_pixel_where_a_3x3_sees_nine():
    for kernel in (1, 3):
        head = build(bottleneck_kernel_size=kernel)
        assert head.bottleneck.conv.weight.shape == (8, 10, kernel, kernel)
        x = torch.zeros(1, 10, 5, 5)
        x[..., 2, 2] = 1
        touched = head.bottleneck.conv(x).abs().sum(1) > 0
        assert touched.sum() == kernel**2


def test_se_loss_is_the_cross_entropy_of_the_classes_present():
    head = build().train()
    seg, se = head(features())
    losses = head.loss_by_feat((seg, se), samples())
    present = torch.zeros(2, 5)
    present[0, 0] = present[0, 3] = present[1, 1] = 1
    torch.testing.assert_close(
        losses['loss_se'], 0.2 * F.binary_cross_entropy(se.sigmoid(), present)
    )
    assert set(losses) == {'loss_ce', 'loss_se', 'acc_seg'}


def test_se_labels_are_upstream_s_without_histc_which_raises_on_a_gpu(monkeypatch):
    label = torch.randint(8, (6, 1, 3, 3), dtype=torch.uint8)
    label[0] = 255
    label[:, :, 0] = 255
    expected = UpstreamEncHead._convert_to_onehot_labels(label, 5)
    assert 0 < expected.sum() < expected.numel()
    monkeypatch.setattr(torch.Tensor, 'histc', None, raising=False)
    onehot = build()._convert_to_onehot_labels(label, 5)
    assert torch.equal(onehot, expected.long())


def test_without_se_loss_it_trains_and_predicts():
    head = build(use_se_loss=False)
    assert not hasattr(head, 'se_layer')
    losses = head.loss(features(), samples(), None)
    assert set(losses) == {'loss_ce', 'acc_seg'}
    losses['loss_ce'].backward()
    assert head.enc_module.encoding[0].codewords.grad.abs().sum() > 0
    with torch.no_grad():
        logits = head.eval().predict(features(), [dict(img_shape=(16, 20))], None)
    assert logits.shape == (2, 5, 16, 20)


def test_the_se_head_does_not_change_the_segmentation():
    with_se, without = build().eval(), build(use_se_loss=False).eval()
    without.load_state_dict(with_se.state_dict(), strict=False)
    torch.testing.assert_close(with_se(features())[0], without(features()), rtol=0, atol=0)


def test_it_trains_under_bf16_autocast():
    head = build().train()
    with torch.autocast('cpu', dtype=torch.bfloat16):
        losses = head.loss(features(), samples(), None)
    assert all(torch.as_tensor(v).isfinite().all() for v in losses.values())
    (losses['loss_ce'] + losses['loss_se']).backward()
    assert head.bottleneck.conv.weight.grad.isfinite().all()


def test_norm_cfg_reaches_every_layer():
    head = build(bottleneck_kernel_size=1, norm_cfg=dict(type='SyncBN'))
    # bottleneck, projection, codes
    assert sum(isinstance(m, nn.SyncBatchNorm) for m in head.modules()) == 3
    assert not any(isinstance(m, (nn.BatchNorm1d, nn.BatchNorm2d)) for m in head.modules())


def test_an_even_kernel_is_refused():
    with pytest.raises(ValueError, match='must be odd, got 2'):
        build(bottleneck_kernel_size=2)

# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
import pytest
import torch
import torch.nn.functional as F
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample

from mmhires.registry import MODELS


def build(**settings):
    torch.manual_seed(0)
    return MODELS.build(
        dict(
            dict(
                type='mmhires.DeepLabV2Head',
                in_channels=6,
                num_classes=4,
                dropout_ratio=0.0,
                loss_decode=dict(type='mmhires.WeightedCrossEntropyLoss'),
            ),
            **settings,
        )
    )


def test_logits_are_the_sum_of_the_dilated_convolutions_at_one_size():
    head = build(dilations=(1, 5))
    x = torch.randn(2, 6, 9, 13)
    expected = sum(
        F.conv2d(x, conv.weight, conv.bias, padding=rate, dilation=rate)
        for conv, rate in zip(head.conv_seg, (1, 5))
    )
    torch.testing.assert_close(head([x]), expected)
    assert expected.shape == (2, 4, 9, 13)


def test_there_are_four_branches_of_deeplab_aspp_l_and_no_other_weights():
    head = build()
    assert [conv.dilation for conv in head.conv_seg] == [(6, 6), (12, 12), (18, 18), (24, 24)]
    assert sum(p.numel() for p in head.parameters()) == 4 * (6 * 9 + 1) * 4


def test_every_branch_starts_from_a_narrow_gaussian():
    head = build(in_channels=64)
    head.init_weights()
    for conv in head.conv_seg:
        assert conv.weight.std().item() == pytest.approx(0.01, rel=0.1)
        assert not conv.bias.any()


def test_it_trains_on_resized_and_concatenated_maps():
    head = build(in_channels=[2, 4], in_index=[0, 1], input_transform='resize_concat')
    sample = SegDataSample(gt_sem_seg=PixelData(data=torch.randint(0, 4, (1, 16, 16))))
    losses = head.loss([torch.randn(1, 2, 8, 8), torch.randn(1, 4, 4, 4)], [sample], {})
    losses['loss_ce'].backward()
    assert all(conv.weight.grad.any() for conv in head.conv_seg)


def test_no_rates_are_refused():
    with pytest.raises(ValueError, match='dilations'):
        build(dilations=())

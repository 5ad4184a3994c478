# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
import torch
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample

from mmhires.models.decode_heads import PreActHead


def test_logits_are_bn_relu_conv_twice():
    torch.manual_seed(0)
    head = PreActHead(6, 4, num_classes=5, in_index=0).eval()
    x = torch.randn(2, 6, 7, 9)
    feat = head.conv.conv(head.conv.bn(x).relu())
    expected = head.conv_seg(head.bn(feat).relu())
    torch.testing.assert_close(head((x, None)), expected)


def test_weights_start_as_kaiming_and_the_classifier_too():
    torch.manual_seed(0)
    head = PreActHead(64, 64, num_classes=19)
    head.init_weights()
    for conv, fan_out in ((head.conv.conv, 64 * 9), (head.conv_seg, 19)):
        std = conv.weight.std().item()
        assert abs(std / (2 / fan_out) ** 0.5 - 1) < 0.1
    assert (head.conv_seg.bias == 0).all() and (head.bn.weight == 1).all()


def test_loss_is_weighted_for_deep_supervision():
    torch.manual_seed(0)
    loss = dict(type='mmhires.WeightedCrossEntropyLoss')
    heads = [
        PreActHead(6, 4, num_classes=5, in_index=0, loss_decode=dict(loss_weight=weight, **loss))
        for weight in (1.0, 0.4)
    ]
    heads[1].load_state_dict(heads[0].state_dict())
    sample = SegDataSample(gt_sem_seg=PixelData(data=torch.randint(0, 5, (1, 12, 16))))
    x = (torch.randn(1, 6, 6, 8),)
    main, aux = (head.loss(x, [sample], {})['loss_ce'] for head in heads)
    torch.testing.assert_close(aux, 0.4 * main)

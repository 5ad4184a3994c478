# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
import torch
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample

from mmhires.models.backbones import DABNet
from mmhires.models.decode_heads import DABNetHead
from mmhires.registry import MODELS

HEAD = dict(
    type='mmhires.DABNetHead',
    in_channels=259,
    in_index=2,
    num_classes=5,
    loss_decode=dict(type='mmhires.OhemCrossEntropyLoss', min_kept=100),
)


def test_logits_are_a_projection_without_bias():
    head = DABNetHead(6, num_classes=5, in_index=0).eval()
    assert [name for name, _ in head.named_parameters()] == ['conv_seg.weight']
    x = torch.randn(2, 6, 7, 9)
    expected = torch.einsum('oi,nihw->nohw', head.conv_seg.weight[..., 0, 0], x)
    torch.testing.assert_close(head((x,)), expected)


def test_dsrl_wraps_it_at_sizes_that_8_does_not_divide():
    torch.manual_seed(0)
    head = MODELS.build(
        dict(
            type='mmhires.DSRLHead',
            seg_head=HEAD,
            sssr_channels=8,
            sisr_head=dict(
                type='mmhires.SISRHead',
                in_channels=[35, 259],
                in_index=[0, 2],
                channels=8,
                upscale=8,
            ),
            loss_fa=dict(type='mmhires.FALoss', subsample=2),
        )
    )
    maps = DABNet()(torch.randn(2, 3, 49, 65))
    samples = [
        SegDataSample(
            gt_sem_seg=PixelData(data=torch.randint(0, 5, (1, 98, 130))),
            gt_img=PixelData(data=torch.randn(3, 98, 130)),
        )
        for _ in range(2)
    ]
    losses = head.loss(maps, samples, None)
    sum(v for k, v in losses.items() if 'loss' in k).backward()
    assert {'loss_ohem', 'loss_mse', 'loss_fa'} < set(losses)
    assert all(p.grad.isfinite().all() for p in head.parameters())
    assert head.eval()(maps).shape == (2, 5, 14, 18)

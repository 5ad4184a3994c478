# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
import torch
from torch import nn

from mmhires.registry import MODELS

X = [torch.randn(2, 6, 9, 11, generator=torch.Generator().manual_seed(1))]


def build(**settings):
    torch.manual_seed(0)
    return MODELS.build(
        dict(
            type='mmhires.ASPPHead',
            in_channels=6,
            in_index=0,
            channels=4,
            dilations=(1, 2, 3),
            dropout_ratio=0.0,
            num_classes=5,
            norm_cfg=dict(type='BN'),
            loss_decode=dict(type='mmseg.CrossEntropyLoss'),
            **settings,
        )
    )


def test_a_1x1_projection_and_a_3x3_convolution_follow_the_branches():
    head = build().eval()
    project, dropout, conv = head.bottleneck
    assert project.conv.weight.shape == (4, 4 * 4, 1, 1)
    assert conv.conv.weight.shape == (4, 4, 3, 3)
    assert isinstance(dropout, nn.Dropout2d) and dropout.p == 0.5
    pooled = head.image_pool(X[0]).expand(-1, -1, 9, 11)
    branches = torch.cat([pooled, *head.aspp_modules(X[0])], 1)
    torch.testing.assert_close(head(X), head.conv_seg(conv(project(branches))))


def test_whole_channels_of_the_projection_drop_in_training_only():
    head = build(project_dropout_ratio=0.5)
    seen = []
    head.bottleneck[2].register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    torch.manual_seed(0)
    head.train()(X)
    head.eval()(X)
    dropped = seen[0].abs().amax((2, 3)) == 0
    assert 0 < dropped.sum() < dropped.numel()
    assert (seen[1].abs().amax((2, 3)) > 0).all()


def test_norm_cfg_reaches_every_layer():
    head = build()
    # pooled branch, three branches, projection, 3x3
    assert sum(isinstance(m, nn.BatchNorm2d) for m in head.modules()) == 6
    assert all(
        conv.bias is None
        for conv in head.modules()
        if isinstance(conv, nn.Conv2d) and conv is not head.conv_seg
    )

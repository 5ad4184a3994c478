# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
import pytest
import torch
from mmengine.config import Config
from mmengine.model import revert_sync_batchnorm
from mmengine.registry import init_default_scope

from mmhires.analysis import count_macs, count_params
from mmhires.models.backbones import ESPNetv2
from mmhires.registry import MODELS


def build(root, name='espnetv2-s2_4xb6-12k_cityscapes-512x1024', **head):
    cfg = Config.fromfile(root / f'configs/dsrl/{name}.py')
    init_default_scope('mmseg')
    cfg.model.decode_head.update(head)
    return MODELS.build(cfg.model)


def test_20_classes_have_the_published_size(repo_root):
    """DSRL's Table 2 counts twice these MACs; EdgeNets' README has 0.79M."""
    with torch.device('meta'):
        model = revert_sync_batchnorm(build(repo_root))
    assert count_params(model) == (789242, 789242)
    assert [
        round(count_macs(model, (3, rows, 2 * rows)) / 1e9, 4) for rows in (256, 320, 384, 448, 512)
    ] == [0.6745, 1.0538, 1.5175, 2.0655, 2.6977]


def test_19_classes_have_the_published_size(repo_root):
    with torch.device('meta'):
        model = build(repo_root, num_classes=19, channels=9, loss_decode=dict())
    assert count_params(model)[0] == 787968


@pytest.mark.parametrize('size', [(16, 16), (33, 32), (97, 131), (1, 5)])
@pytest.mark.parametrize('scale', ESPNetv2.arch_settings)
def test_maps_halve_the_size_and_round_up(scale, size):
    maps = ESPNetv2(scale).eval()(torch.randn(1, 3, *size))
    assert [tuple(x.shape) for x in maps] == [
        (1, width, *(-(-side // 2**i) for side in size))
        for i, width in enumerate(ESPNetv2.arch_settings[scale], 1)
    ]


def test_image_reaches_every_level():
    """Without the input reinforcement a dead level 1 would hide the image."""
    torch.manual_seed(0)
    net = ESPNetv2(0.5).eval()
    torch.nn.init.zeros_(net.level1.bn.weight)
    one, two = (net(torch.randn(1, 3, 32, 32)) for _ in range(2))
    assert one[0].equal(two[0])
    assert not any(a.equal(b) for a, b in zip(one[1:], two[1:]))


def test_syncbn_leaves_no_plain_batch_norm(repo_root):
    kinds = [
        type(m).__name__ for m in build(repo_root).modules() if 'BatchNorm' in type(m).__name__
    ]
    assert set(kinds) == {'SyncBatchNorm'}


def test_norm_and_activation_settings_reach_every_layer():
    net = ESPNetv2(0.5, norm_cfg=dict(type='BN', momentum=0.03), act_cfg=dict(type='LeakyReLU'))
    norms = [m for m in net.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    assert {m.momentum for m in norms} == {0.03}
    assert not any(isinstance(m, torch.nn.PReLU) for m in net.modules())


def test_prelu_has_a_slope_for_each_channel():
    slopes = [m.num_parameters for m in ESPNetv2(0.5).modules() if isinstance(m, torch.nn.PReLU)]
    assert 1 not in slopes and max(slopes) == 128


def test_every_parameter_that_trains_gets_a_gradient():
    """Or DDP stops with an error."""
    net = ESPNetv2(0.5)
    sum(x.sum() for x in net(torch.randn(2, 3, 33, 47))).backward()
    for name, parameter in net.named_parameters():
        assert parameter.requires_grad == (parameter.grad is not None), name


def test_unknown_scale_is_named():
    with pytest.raises(KeyError, match=r'unknown scale 3.0.*0.5.*2.0'):
        ESPNetv2(3.0)

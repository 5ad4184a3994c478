# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
import pytest
import torch
from mmengine.config import Config
from mmengine.model import revert_sync_batchnorm
from mmengine.registry import init_default_scope

from mmhires.analysis import count_macs, count_params
from mmhires.models.backbones import DABNet
from mmhires.registry import MODELS


def build(root):
    cfg = Config.fromfile(root / 'configs/dsrl/dabnet_4xb2-80k_cityscapes-512x1024.py')
    init_default_scope('mmseg')
    return MODELS.build(cfg.model)


def test_network_has_the_published_size(repo_root):
    """0.76M in its paper; DSRL's Table 3 counts twice these MACs."""
    with torch.device('meta'):
        model = revert_sync_batchnorm(build(repo_root))
    assert count_params(model) == (756643, 756643)
    assert round(count_macs(model, (3, 512, 1024)) / 1e9, 4) == 10.2204


@pytest.mark.parametrize('size', [(8, 8), (33, 32), (97, 131), (1, 5)])
def test_maps_halve_the_size_and_round_up(size):
    maps = DABNet().eval()(torch.randn(1, 3, *size))
    assert [tuple(x.shape) for x in maps] == [
        (1, width, *(-(-side // 2**i) for side in size))
        for i, width in enumerate((35, 131, 259), 1)
    ]


def test_other_dilations_and_images_of_more_channels():
    net = DABNet(in_channels=4, dilations=((2,), (4, 8))).eval()
    maps = net(torch.randn(1, 4, 32, 32))
    assert [x.shape[1] for x in maps] == [36, 132, 260]
    assert [len(block) for block in net.blocks] == [1, 2]


def test_dilated_branch_sees_as_far_as_its_dilation():
    """A pixel reaches 1 (the 3x3) and its dilation further, no more."""
    torch.manual_seed(0)
    module = DABNet(dilations=((5,), (4,))).eval().blocks[0][0]
    x = torch.randn(1, 64, 21, 21).requires_grad_()
    module(x)[0, :, 10, 10].sum().backward()
    reached = x.grad[0].abs().sum(0) > 0
    rows = reached.any(1).nonzero().flatten().tolist()
    assert rows == [4, 5, 6, 8, 9, 10, 11, 12, 14, 15, 16]


def test_syncbn_leaves_no_plain_batch_norm(repo_root):
    norms = [m for m in build(repo_root).modules() if 'BatchNorm' in type(m).__name__]
    assert {type(m).__name__ for m in norms} == {'SyncBatchNorm'}
    assert {m.eps for m in norms} == {1e-3}
    # The stem's 3, 3 behind the concatenations, 2 of steps down and 7 in each
    # of the 9 modules.
    assert len(norms) == 3 + 3 + 2 + 7 * 9


def test_norm_and_activation_settings_reach_every_layer():
    net = DABNet(norm_cfg=dict(type='BN', momentum=0.03), act_cfg=dict(type='LeakyReLU'))
    norms = [m for m in net.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    assert {m.momentum for m in norms} == {0.03}
    assert not any(isinstance(m, torch.nn.PReLU) for m in net.modules())


def test_every_parameter_gets_a_gradient():
    net = DABNet()
    net.init_weights()
    sum(x.sum() for x in net(torch.randn(2, 3, 33, 47))).backward()
    assert all(p.grad is not None for p in net.parameters())


@pytest.mark.parametrize('dilations', [((2,),), ((2,), (4,), (8,))])
def test_dilations_of_more_or_less_blocks_are_not_cut(dilations):
    with pytest.raises(ValueError, match=f'2 blocks, but dilations of {len(dilations)}'):
        DABNet(dilations=dilations)

# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from torch.nn.modules.batchnorm import SyncBatchNorm, _BatchNorm

from mmhires.models.backbones import DDRNet
from mmhires.models.necks import DDRNetClsNeck
from mmhires.registry import MODELS

NAME = 'configs/ddrnet/ddrnet-23-slim_{}.py'


def build(repo_root, name):
    cfg = Config.fromfile(repo_root / NAME.format(name))
    init_default_scope(cfg.default_scope)
    return cfg


@pytest.mark.parametrize('size', [(224, 224), (97, 131), (32, 32)])
def test_maps_of_any_image_meet_at_a_32nd_rounded_up(size):
    net = DDRNet(dict(channels=4, depths=(1, 1, 1, 1)), final_stride=1).eval()
    neck = DDRNetClsNeck([16, 64], 24).eval()
    (out,) = neck(net(torch.randn(1, 3, *size)))
    assert out.shape == (1, 24, -(-size[0] // 32), -(-size[1] // 32))


def test_fusion_is_before_the_activation_and_the_last_layer_after():
    torch.manual_seed(0)
    neck = DDRNetClsNeck([2, 8], 3).eval()
    high, low = torch.randn(1, 2, 8, 8), torch.randn(1, 8, 2, 2)
    conv = torch.nn.functional.conv2d
    # Norms as initialised change nothing but by their eps.
    down = conv(high.relu(), neck.down[0].conv.weight, stride=2, padding=1)
    down = conv(down.relu(), neck.down[1].conv.weight, stride=2, padding=1)
    last = conv((low.relu() + down).relu(), neck.last.conv.weight).relu()
    (out,) = neck((None, high, low))
    torch.testing.assert_close(out, last, rtol=1e-3, atol=1e-4)


def test_norm_cfg_reaches_every_norm():
    neck = DDRNetClsNeck([4, 16], 8, norm_cfg=dict(type='SyncBN'))
    norms = [m for m in neck.modules() if isinstance(m, _BatchNorm)]
    assert len(norms) == 3
    assert all(isinstance(norm, SyncBatchNorm) for norm in norms)


def test_widths_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match=r'in_channels \[128, 256\]'):
        DDRNetClsNeck([128, 256], 1024)


def test_classifier_of_the_config_trains_a_step(repo_root):
    pytest.importorskip('mmpretrain')
    from mmpretrain.structures import DataSample

    torch.manual_seed(0)
    model = MODELS.build(build(repo_root, '4xb64-100e_imagenet-224x224').model)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    kernels = [p for p in model.parameters() if p.ndim > 1]
    before = [p.detach().clone() for p in kernels]
    data = model.data_preprocessor(
        dict(
            inputs=[torch.randint(0, 256, (3, 64, 96)) for _ in range(2)],
            data_samples=[DataSample().set_gt_label(i) for i in (3, 999)],
        ),
        training=True,
    )
    loss, _ = model.parse_losses(model(**data, mode='loss'))
    loss.backward()
    optimizer.step()
    assert loss.isfinite()
    assert all((p != old).any() for p, old in zip(kernels, before))

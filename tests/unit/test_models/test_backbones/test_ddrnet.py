# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
import pytest
import torch
import torch.distributed as dist
from mmengine.config import Config
from mmengine.model import revert_sync_batchnorm
from mmengine.registry import init_default_scope
from torch.nn.parallel import DistributedDataParallel

from mmhires.models.backbones import DDRNet
from mmhires.registry import MODELS

TINY = dict(channels=4, depths=(1, 1, 1, 1))
TINY_39 = dict(channels=4, depths=(1, 1, 2, 1, 1))


def widths(net, size=(97, 131)):
    return [tuple(x.shape[1:]) for x in net.eval()(torch.randn(1, 3, *size))]


@pytest.mark.parametrize('size', [(32, 32), (97, 131), (100, 100), (64, 256)])
@pytest.mark.parametrize('arch', [TINY, TINY_39])
def test_maps_are_at_an_eighth_and_a_64th_rounded_up(arch, size):
    eighth, last = ([-(-side // stride) for side in size] for stride in (8, 64))
    assert widths(DDRNet(arch), size) == [(8, *eighth), (16, *eighth), (64, *last)]


@pytest.mark.parametrize(
    'out_indices, frozen',
    [
        ((0, 1, 2), ()),
        ((1,), ('low_bottleneck', 'fusions.1.down')),
        ((1, 0), ('low_bottleneck', 'fusions.1.down')),
        ((2,), ('high_bottleneck', 'fusions.1.compress')),
    ],
)
def test_no_parameter_that_trains_is_without_gradient(out_indices, frozen):
    """MMDistributedDataParallel dies of one at the second iteration."""
    net = DDRNet(TINY, out_indices=out_indices)
    images = torch.randn(2, 3, 64, 128)
    outs = net(images)
    everything = DDRNet(TINY)
    everything.load_state_dict(net.state_dict())  # the keys stay the same
    torch.testing.assert_close(outs, tuple(everything(images)[i] for i in out_indices))
    # Map 0 alone is the one that need not be read.
    read = [out for i, out in zip(out_indices, outs) if i]
    sum(out.square().mean() for out in read).backward()
    for name, parameter in net.named_parameters():
        assert parameter.requires_grad != name.startswith(frozen or '-'), name
        assert (parameter.grad is not None) == parameter.requires_grad, name


def test_a_head_of_one_map_trains_distributed():
    dist.init_process_group('gloo', store=dist.HashStore(), rank=0, world_size=1)
    try:
        net = DistributedDataParallel(DDRNet(TINY, out_indices=(1,)))
        for _ in range(2):
            net(torch.randn(2, 3, 64, 64))[0].square().mean().backward()
        reads_not_all = DistributedDataParallel(DDRNet(TINY))
        with pytest.raises(RuntimeError, match='not used in producing loss'):
            for _ in range(2):
                reads_not_all(torch.randn(2, 3, 64, 64))[1].mean().backward()
    finally:
        dist.destroy_process_group()


def test_the_readme_s_child_of_an_upstream_config_trains(repo_root, random_batch, tmp_path):
    readme = (repo_root / 'configs/ddrnet/README.md').read_text()
    snippet = readme.split('In a child of the config you have')[1]
    path = tmp_path / 'child.py'
    path.write_text(snippet.split('```python\n')[1].split('```')[0])
    cfg = Config.fromfile(path)
    init_default_scope(cfg.default_scope)
    cfg.model.data_preprocessor.size = (128, 256)
    model = revert_sync_batchnorm(MODELS.build(cfg.model))
    data = model.data_preprocessor(random_batch(19, (128, 256)), training=True)
    loss, _ = model.parse_losses(model(**data, mode='loss'))
    loss.backward()
    assert all(p.grad is not None for p in model.parameters())


def test_classification_form_ends_at_a_32nd():
    assert widths(DDRNet(TINY, final_stride=1))[2] == (64, 4, 5)


@pytest.mark.parametrize('size', [(97, 131), (100, 100), (540, 966), (721, 965)])
def test_39_trains_a_step_of_one_image_and_predicts(size, random_batch):
    """#3347 upstream: sizes that 8 does not divide, one image a GPU."""
    model = build_segmentor(arch='39', p=64)
    train_size = (97, 131)
    data = random_batch(5, train_size)
    data = {key: value[:1] for key, value in data.items()}
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    # On so small a map the pools of DAPPM leave one value an image, which the
    # next batch norm takes off again where the batch is one image.
    kernels = {
        name: p
        for name, p in model.named_parameters()
        if p.ndim > 1 and 'context.scales.' not in name
    }
    before = {name: p.detach().clone() for name, p in kernels.items()}
    losses = model.train()(**model.data_preprocessor(data, training=True), mode='loss')
    loss, _ = model.parse_losses(losses)
    loss.backward()
    optimizer.step()
    assert loss.isfinite()
    assert all((p != before[name]).any() for name, p in kernels.items())
    logits = model.eval().encode_decode(torch.randn(1, 3, *size), [dict(img_shape=size)])
    assert logits.shape == (1, 5, *size) and logits.isfinite().all()


def build_segmentor(arch, p, norm='BN'):
    torch.manual_seed(0)
    cfg = dict(
        norm_cfg=dict(type=norm),
        num_classes=5,
        channels=8,
        loss_decode=dict(type='mmhires.WeightedCrossEntropyLoss'),
    )
    return MODELS.build(
        dict(
            type='mmseg.EncoderDecoder',
            data_preprocessor=dict(
                type='mmseg.SegDataPreProcessor', mean=[127] * 3, std=[60] * 3, size=(97, 131)
            ),
            backbone=dict(type='mmhires.DDRNet', arch=arch, norm_cfg=dict(type=norm)),
            decode_head=dict(type='mmhires.DAPPMHead', in_channels=[4 * p, 16 * p], **cfg),
            auxiliary_head=dict(type='mmhires.PreActHead', in_channels=2 * p, in_index=0, **cfg),
            train_cfg=dict(),
            test_cfg=dict(mode='whole'),
        )
    )


@pytest.mark.parametrize('arch, p, norms', [('23-slim', 32, 57), ('39', 64, 85)])
def test_syncbn_leaves_no_plain_batch_norm(arch, p, norms):
    model = build_segmentor(arch, p, norm='SyncBN')
    kinds = [type(m).__name__ for m in model.modules() if 'BatchNorm' in type(m).__name__]
    assert set(kinds) == {'SyncBatchNorm'}
    assert len(kinds) == norms


def test_syncbn_model_runs_where_there_is_one_process(random_batch):
    model = revert_sync_batchnorm(build_segmentor(TINY, 4, norm='SyncBN'))
    data = model.data_preprocessor(random_batch(5, (97, 131)), training=True)
    assert all(value.isfinite().all() for value in model(**data, mode='loss').values())


def test_norm_and_activation_settings_reach_every_layer():
    net = DDRNet(
        TINY, norm_cfg=dict(type='BN', momentum=0.03, eps=1e-3), act_cfg=dict(type='LeakyReLU')
    )
    norms = [m for m in net.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    assert all((m.momentum, m.eps) == (0.03, 1e-3) for m in norms)
    assert not any(isinstance(m, torch.nn.ReLU) for m in net.modules())


def test_align_corners_reaches_the_fusions():
    nets = [DDRNet(TINY, align_corners=value).eval() for value in (False, True)]
    nets[1].load_state_dict(nets[0].state_dict())
    x = torch.randn(1, 3, 97, 131)
    assert (nets[0](x)[1] - nets[1](x)[1]).abs().max() > 1e-3


def test_bf16_autocast_is_close_to_full_precision():
    torch.manual_seed(0)
    net = DDRNet('23-slim')
    net.init_weights()
    x = torch.randn(2, 3, 97, 131)
    expected = net.eval()(x)
    with torch.autocast('cpu', torch.bfloat16):
        outs = net(x)
        net.train()(x)[2].float().sum().backward()
    for out, value in zip(outs, expected):
        assert out.dtype == torch.bfloat16
        error = (out.float() - value).norm() / value.norm()
        assert error < 0.05
    assert all(p.grad is None or p.grad.isfinite().all() for p in net.parameters())


@pytest.mark.parametrize('frozen_stages', range(-1, 6))
def test_frozen_stages_neither_train_nor_update_statistics(frozen_stages):
    net = DDRNet(TINY_39, frozen_stages=frozen_stages).train()
    state = {key: value.clone() for key, value in net.state_dict().items()}
    outs = net(torch.randn(2, 3, 128, 128))
    if frozen_stages < 5:
        sum(out.square().mean() for out in outs).backward()
    # Of each stage, one branch of the first and the last group.
    probes = [
        ['stem'],
        ['layer1'],
        ['layer2'],
        ['low.0', 'high.1'],
        ['low.2', 'fusions.2'],
        ['low_bottleneck', 'high_bottleneck'],
    ]
    for stage, names in enumerate(probes):
        for name in names:
            part = net.get_submodule(name)
            frozen = stage <= frozen_stages
            assert all((p.grad is None) == frozen for p in part.parameters())
            for key, value in part.state_dict().items():
                if key.endswith('running_mean'):
                    same = torch.equal(value, state[f'{name}.{key}'])
                    assert same == frozen, (name, key)


def test_norm_eval_keeps_all_statistics():
    net = DDRNet(TINY, norm_eval=True).train()
    before = {key: value.clone() for key, value in net.state_dict().items()}
    net(torch.randn(2, 3, 64, 64))
    assert all(torch.equal(value, before[key]) for key, value in net.state_dict().items())


def test_checkpointing_saves_activations_and_gives_equal_gradients():
    torch.manual_seed(0)
    nets = [DDRNet(TINY, with_cp=value).train() for value in (False, True)]
    nets[1].load_state_dict(nets[0].state_dict())
    x = torch.randn(2, 3, 64, 96)
    kept, gradients = [], []
    for net in nets:
        sizes = []
        with torch.autograd.graph.saved_tensors_hooks(
            lambda t, sizes=sizes: sizes.append(t.numel()) or t, lambda t: t
        ):
            loss = sum(out.square().mean() for out in net(x))
        loss.backward()
        kept.append(sum(sizes))
        gradients.append([p.grad for p in net.parameters()])
    assert kept[1] < kept[0] / 2
    for ours, plain in zip(gradients[1], gradients[0]):
        torch.testing.assert_close(ours, plain)


def test_weights_start_as_kaiming_normal():
    torch.manual_seed(0)
    net = DDRNet('23-slim')
    net.init_weights()
    weight = net.low[1][1].conv1.conv.weight
    assert abs(weight.std().item() / (2 / (256 * 9)) ** 0.5 - 1) < 0.02


@pytest.mark.parametrize(
    'kwargs, error, message',
    [
        (dict(arch='101'), KeyError, '23-slim, 23, 39'),
        (dict(arch=dict(channels=4)), KeyError, 'depths'),
        (dict(arch=dict(channels=4, depths=(1, 1, 1))), ValueError, 'conv5'),
        (dict(arch=dict(channels=4, depths=(1, 1, 0, 1))), ValueError, 'positive'),
        (dict(frozen_stages=6), ValueError, 'frozen_stages'),
        (dict(out_indices=(0, 3)), ValueError, 'out_indices.*3'),
        (dict(out_indices=(0,)), ValueError, 'out_indices.*not 0 alone'),
        (dict(out_indices=()), ValueError, 'out_indices'),
    ],
)
def test_a_setting_that_cannot_be_is_named(kwargs, error, message):
    with pytest.raises(error, match=message):
        DDRNet(**kwargs)

# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Every method on a GPU: fp32, fp16, bf16, resumed to the bit, no waiting."""

import copy
import os

# Before CUDA is used: deterministic matrix products need it.
os.environ.setdefault('CUBLAS_WORKSPACE_CONFIG', ':4096:8')

import pytest
import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from test_dist_methods import METHODS, SIZE, Persons

from mmhires.models.losses import FALoss
from mmhires.registry import DATASETS, MODELS

DEVICE = 'cuda'
pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason='there is no GPU')

PRECISIONS = dict(
    fp32=dict(type='OptimWrapper'),
    # The usual first scale is made for more steps than these few.
    fp16=dict(type='AmpOptimWrapper', loss_scale=dict(init_scale=128.0)),
    bf16=dict(type='mmhires.BF16OptimWrapper'),
)
WEIGHTS = [1.0, 2.0, 0.5]
LOSSES = dict(
    ohem=dict(type='mmhires.OhemCrossEntropyLoss', min_kept=50),
    ohem_weighted=dict(type='mmhires.OhemCrossEntropyLoss', min_kept=10**6, class_weight=WEIGHTS),
    weighted=dict(type='mmhires.WeightedCrossEntropyLoss', class_weight=WEIGHTS),
    boundary=dict(type='mmhires.BoundaryReweightedLoss', loss=dict(type='CrossEntropyLoss')),
    boundary_ohem=dict(
        type='mmhires.BoundaryReweightedLoss',
        loss=dict(type='mmhires.OhemCrossEntropyLoss', min_kept=50),
    ),
)
# Of two maps.
FEATURE_LOSSES = dict(
    fa=dict(type='mmhires.FALoss', subsample=1),
    fa_pooled=dict(type='mmhires.FALoss', subsample=4),
    l2=dict(type='mmhires.FeatureL2Loss'),
    kl=dict(type='mmhires.LogitDistillLoss'),
    cwd=dict(type='mmhires.ChannelWiseDistillLoss'),
)
BOTH = [*LOSSES, *FEATURE_LOSSES]


@pytest.fixture
def full_float32(monkeypatch):
    """No TF32, whose 10 bits would hide what is compared."""
    monkeypatch.setattr(torch.backends.cudnn, 'allow_tf32', False)


@pytest.fixture
def deterministic():
    """Leaves no other test what ``deterministic=True`` sets."""
    yield dict(seed=0, deterministic=True)
    torch.use_deterministic_algorithms(False)
    torch.backends.cudnn.deterministic = False


@pytest.fixture
def waiting_is_an_error():
    """A host that waits for the GPU raises."""
    torch.cuda.set_sync_debug_mode('error')
    yield
    torch.cuda.set_sync_debug_mode('default')


def dataset_of(method):
    if method == 'pose':
        pytest.importorskip('mmpose')
        return Persons()
    return DATASETS.build(
        dict(
            type='mmhires.StreetsDataset',
            size=SIZE,
            length=4,
            pipeline=[dict(type='mmseg.PackSegInputs')],
        )
    )


def make_runner(
    method, work_dir, repo_root, iters, precision='fp32', resume=False, randomness=dict(seed=0)
):
    """A small run of a method's config, with its own losses."""
    (path,) = (repo_root / 'configs').glob(METHODS[method])
    cfg = Config.fromfile(path)
    init_default_scope(cfg.default_scope)
    if method != 'pose':
        cfg.model.data_preprocessor.size = SIZE
        cfg.model.backbone.init_cfg = None
    if method == 'hrfr':
        cfg.model.teacher_ckpt = None
    return Runner(
        cfg.model,
        str(work_dir),
        train_dataloader=dict(
            dataset=dataset_of(method),
            batch_size=2,
            num_workers=0,
            collate_fn=pseudo_collate,
            sampler=dict(type='InfiniteSampler', shuffle=True),
        ),
        train_cfg=dict(by_epoch=False, max_iters=iters),
        optim_wrapper=dict(
            PRECISIONS[precision], optimizer=dict(type='SGD', lr=1e-3, momentum=0.9)
        ),
        default_hooks=dict(checkpoint=dict(type='CheckpointHook', interval=2, by_epoch=False)),
        custom_hooks=[dict(type='mmhires.ExactResumeHook')],
        env_cfg=cfg.env_cfg,
        default_scope=cfg.default_scope,
        resume=resume,
        randomness=randomness,
        log_level='WARNING',
        experiment_name=f'{work_dir.parent.name}_{work_dir.name}_{resume}',
    )


def logits_of(model, method):
    """What a model makes of an image, where it is."""
    data = model.data_preprocessor(pseudo_collate([dataset_of(method)[0]]))
    with torch.no_grad():
        out = model.eval()(data['inputs'], data['data_samples'], mode='tensor')
    return out if isinstance(out, torch.Tensor) else out[0]


@pytest.mark.parametrize('precision', PRECISIONS)
@pytest.mark.parametrize('method', METHODS)
def test_a_method_trains_resumes_and_predicts_as_on_the_cpu(
    method, precision, repo_root, tmp_path, full_float32
):
    args = method, tmp_path, repo_root
    runner = make_runner(*args, 2, precision)
    before = copy.deepcopy(runner.model.state_dict())
    runner.train()
    weights = runner.model.state_dict()
    assert all(x.isfinite().all() for x in weights.values())
    still = [
        key
        for key, _ in runner.model.named_parameters()
        if torch.equal(weights[key].cpu(), before[key].cpu())
    ]
    # A gain of batch norm is 1, to which a small step adds nothing.
    assert len(still) < len(weights) / 5, still

    resumed = make_runner(*args, 4, precision, resume=True)
    resumed.train()
    assert resumed.iter == 4
    model = resumed.model
    assert {p.device.type for p in model.parameters()} == {DEVICE}
    on_gpu = logits_of(model, method)
    assert on_gpu.device.type == DEVICE
    on_cpu = logits_of(copy.deepcopy(model).cpu(), method)
    torch.testing.assert_close(on_gpu.cpu(), on_cpu, rtol=1e-3, atol=1e-3 * on_cpu.abs().max())


@pytest.mark.parametrize('method', METHODS)
def test_a_resumed_training_ends_with_the_same_bits(method, repo_root, tmp_path, deterministic):
    runs = tmp_path / 'straight', tmp_path / 'resumed'
    for work_dir, all_iters in zip(runs, ((4,), (2, 4))):
        for iters in all_iters:
            make_runner(
                method,
                work_dir,
                repo_root,
                iters,
                resume=iters == 4 and len(all_iters) == 2,
                randomness=deterministic,
            ).train()
    straight, resumed = (torch.load(work_dir / 'iter_4.pth')['state_dict'] for work_dir in runs)
    for key, value in straight.items():
        assert torch.equal(value, resumed[key]), key


def batch():
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(2, 3, 40, 50, generator=generator)
    label = torch.randint(3, (2, 40, 50), generator=generator)
    label[:, 5:9] = 255
    return logits, label


def step(loss, *args):
    """Loss and gradient."""
    pred, *rest = args
    pred = pred.detach().requires_grad_()
    value = loss(pred, *rest)
    value.backward()
    return value.detach(), pred.grad


def built(name):
    init_default_scope('mmseg')
    loss = MODELS.build(dict({**LOSSES, **FEATURE_LOSSES}[name]))
    if name in LOSSES:
        return loss, batch()
    return loss, [x[:, :, ::2, ::2] for x in batch()[0].split(1)]


@pytest.mark.parametrize('name', BOTH)
def test_a_step_of_a_loss_does_not_wait_for_the_gpu(name, request):
    loss, tensors = built(name)
    on_gpu = [x.to(DEVICE) for x in tensors]
    loss.to(DEVICE)
    step(loss, *on_gpu)  # what a first call sets up may wait
    request.getfixturevalue('waiting_is_an_error')
    got = step(loss, *on_gpu)
    torch.cuda.set_sync_debug_mode('default')
    for ours, expected in zip(got, step(loss.cpu(), *tensors)):
        torch.testing.assert_close(ours.cpu(), expected)


def test_drawing_pixels_does_not_wait_for_the_gpu(waiting_is_an_error):
    torch.cuda.set_sync_debug_mode('default')
    maps = [x.to(DEVICE) for x in batch()[0].split(1)]
    label = batch()[1][:1].to(DEVICE)
    loss = FALoss(samples=64, boundary_share=0.5)
    step(loss, *maps, label)
    torch.cuda.set_sync_debug_mode('error')
    step(loss, *maps, label)


@pytest.mark.parametrize('name', BOTH)
@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_a_loss_of_half_precision_is_that_of_float32(name, dtype):
    loss, (pred, other) = built(name)
    pred = pred.to(DEVICE, dtype)
    other = other.to(DEVICE)
    expected, _ = step(loss.to(DEVICE), pred.float(), other)
    with torch.autocast(DEVICE, dtype):
        value, grad = step(loss, pred, other)
    torch.testing.assert_close(value.float(), expected, rtol=1e-2, atol=1e-3)
    assert grad.dtype == dtype and grad.isfinite().all()


@pytest.mark.parametrize('name', BOTH)
def test_torch_compile_gives_the_loss_in_one_graph(name):
    pytest.importorskip('triton')
    loss, tensors = built(name)
    tensors = [x.to(DEVICE) for x in tensors]
    loss.to(DEVICE)
    torch._dynamo.reset()
    compiled = torch.compile(loss, fullgraph=True)
    for ours, expected in zip(step(compiled, *tensors), step(loss, *tensors)):
        torch.testing.assert_close(ours, expected)

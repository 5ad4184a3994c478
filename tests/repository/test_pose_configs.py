# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""The pose configs: what they cost, a step of training, upstream's wrapped."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.structures import InstanceData, PixelData

from mmhires.analysis import count_macs, count_params
from mmhires.registry import MODELS

pytest.importorskip('mmpose')

from mmpose.structures import PoseDataSample

FOLDER = Path(__file__).resolve().parents[2] / 'configs' / 'dsrl_pose'
HRNET = 'td-hm-hrnet-w32_8xb64-210e_coco'
SMALL = sorted(FOLDER.with_name('research').glob('*td-hm*.py'))
# What the example of the README says for HRNet, and what ResNet-50 with its
# deconvolutions needs in its place.
EXAMPLE = ('td-hm_hrnet-w32_udp-8xb64-210e_coco-256x192.py', 'in_channels=32')
NETWORKS = {
    'hrnet': EXAMPLE,
    'resnet': ('td-hm_res50_8xb64-210e_coco-256x192.py', 'in_channels=2048'),
}


def build(path):
    cfg = Config.fromfile(path)
    init_default_scope(cfg.default_scope)
    return MODELS.build(cfg.model), cfg


def batch(size, heatmap_size):
    """What a data loader hands to a pose estimator, two crops of noise."""
    torch.manual_seed(0)
    width, height = size
    return dict(
        inputs=[torch.randint(0, 256, (3, height, width)) for _ in range(2)],
        data_samples=[
            PoseDataSample(
                gt_instances=InstanceData(
                    bboxes=np.array([[0.0, 0.0, 30.0, 40.0]]), bbox_scores=np.ones(1)
                ),
                gt_fields=PixelData(heatmaps=torch.rand(17, *heatmap_size[::-1])),
                gt_instance_labels=InstanceData(keypoint_weights=torch.ones(1, 17)),
                metainfo=dict(
                    flip_indices=list(range(17)),
                    input_size=size,
                    input_center=np.array([15.0, 20.0]),
                    input_scale=np.array([30.0, 40.0]),
                ),
            )
            for _ in range(2)
        ],
    )


@pytest.mark.parametrize(
    'size, output, gmacs',
    [
        ((256, 192), (512, 384), 7.645),
        ((160, 128), (320, 256), 3.185),
        ((128, 96), (256, 192), 1.911),
    ],
)
def test_hrnet_costs_what_was_measured_elsewhere_and_sssr_one_percent(size, output, gmacs):
    small, large = ('x'.join(map(str, hw)) for hw in (size, output))
    with torch.device('meta'):  # for their costs alone
        baseline, cfg = build(FOLDER / f'{HRNET}-{small}.py')
        dsrl, dsrl_cfg = build(FOLDER / f'dsrl_{HRNET}-{small}-to-{large}.py')
    assert cfg.codec.input_size == size[::-1]
    assert dsrl_cfg.codec.input_size == output[::-1]
    plain, doubled = (count_macs(m, (3, *size)) for m in (baseline, dsrl))
    assert plain / 1e9 == pytest.approx(gmacs, abs=5e-4)
    assert count_params(baseline)[1] == 28_536_113
    # A deconvolution 32 -> 32 of kernel 4, and the final layer on four times
    # the pixels.
    pixels = size[0] * size[1] // 16
    assert doubled - plain == pixels * (32 * 32 * 16 + 3 * 32 * 17)
    assert doubled / plain < 1.01


@pytest.mark.parametrize('path', SMALL, ids=lambda path: path.stem)
def test_config_trains_a_step_and_predicts_in_the_image(path):
    torch.manual_seed(0)
    model, cfg = build(path)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    before = [p.detach().clone() for p in model.parameters()]
    given = batch(cfg.codec.input_size, cfg.codec.heatmap_size)
    data = model.data_preprocessor(given, training=True)
    loss, _ = model.parse_losses(model(**data, mode='loss'))
    loss.backward()
    optimizer.step()
    assert loss.isfinite()
    # Biases before batch norm have no effect; all kernels must learn.
    assert all((p != old).any() for p, old in zip(model.parameters(), before) if p.ndim > 1)
    model.eval()
    with torch.no_grad():
        sample = model.test_step(batch(cfg.codec.input_size, cfg.codec.heatmap_size))[0]
    assert sample.pred_instances.keypoints.shape == (1, 17, 2)
    assert np.isfinite(sample.pred_instances.keypoints).all()


@pytest.mark.parametrize('path', sorted(FOLDER.glob('*.py')) + SMALL, ids=lambda path: path.stem)
def test_crop_target_and_decoder_are_of_one_codec(path):
    cfg = Config.fromfile(path)
    head = cfg.model.head.get('heatmap_head', cfg.model.head)
    assert head.decoder == cfg.codec
    for loader in (cfg.train_dataloader, cfg.val_dataloader, cfg.test_dataloader):
        steps = {step.type: step for step in loader.dataset.pipeline}
        assert steps['TopdownAffine'].input_size == cfg.codec.input_size
        assert steps['TopdownAffine'].use_udp
        if loader is cfg.train_dataloader:
            assert steps['GenerateTarget'].encoder == cfg.codec
    assert cfg.model.test_cfg.shift_heatmap is False
    named = re.findall(r'(\d+)x(\d+)', path.stem.partition('_coco')[2])
    assert cfg.codec.input_size == tuple(map(int, named[-1]))[::-1]
    assert [4 * n for n in cfg.codec.heatmap_size] == list(cfg.codec.input_size)


@pytest.mark.parametrize(
    'path', sorted(FOLDER.with_name('lspet').glob('*.py')), ids=lambda path: path.stem
)
def test_rows_of_lspet_are_taught_in_the_full_crop_what_they_decode(path):
    cfg = Config.fromfile(path)
    head = cfg.model.head.get('heatmap_head', cfg.model.head)
    steps = {x.type: x for x in cfg.train_dataloader.dataset.pipeline}
    assert head.decoder == steps['GenerateTarget'].encoder
    assert head.out_channels == 14
    tested = {x.type: x for x in cfg.test_dataloader.dataset.pipeline}
    for crop in (steps['TopdownAffine'], tested['TopdownAffine'], head.decoder):
        assert crop.input_size == (128, 128)
    scale = cfg.model.data_preprocessor.get('scale', 1)
    assert scale == (2 if '64x64' in path.stem else 1)
    if 'in_featuremap_size' in head:
        assert head.in_featuremap_size == (4 // scale, 4 // scale)
    small = path.stem.startswith('td-hm') and scale == 2
    if 'heatmap_size' in head.decoder:
        assert head.decoder.heatmap_size == ((16, 16) if small else (32, 32))
    assert cfg.param_scheduler[1].end == cfg.train_cfg.max_iters
    if 'distilled' in path.stem:
        teacher = Config.fromfile(cfg.model.teacher).model.head
        assert teacher.type in (head.type, 'HeatmapHead')
        assert cfg.model.teacher_ckpt == cfg.load_from


def example():
    """The config of the README's section."""
    section = (
        (FOLDER / 'README.md').read_text().split('## Make your own pose config low-resolution')[1]
    )
    return section.split('```python\n')[1].split('```')[0]


def test_the_example_changes_about_ten_lines():
    assert len([x for x in example().splitlines() if x.strip()]) <= 14
    assert all(part in example() for part in EXAMPLE)


@pytest.mark.parametrize('network', NETWORKS)
def test_an_upstream_config_trains_and_predicts_at_half_the_input(network, tmp_path):
    text = example()
    for ours, theirs in zip(EXAMPLE, NETWORKS[network]):
        text = text.replace(ours, theirs)
    (tmp_path / 'mine.py').write_text(text)
    model, cfg = build(tmp_path / 'mine.py')
    seen = []
    model.backbone.register_forward_pre_hook(lambda _, args: seen.append(args[0].shape[-2:]))
    losses = model(
        **model.data_preprocessor(batch((192, 256), (48, 64)), training=True), mode='loss'
    )
    assert {'loss_kpt', 'loss_mse', 'loss_fa'} <= set(losses)
    assert all(torch.as_tensor(v).isfinite().all() for v in losses.values())
    assert losses['loss_kpt'] > losses['loss_mse']
    model.eval()
    model.test_cfg['output_heatmaps'] = True
    with torch.no_grad():
        sample = model.test_step(batch((192, 256), (48, 64)))[0]
    assert sample.pred_fields.heatmaps.shape == (17, 64, 48)
    assert cfg.codec.heatmap_size == (48, 64)  # upstream's, as it was
    assert set(seen) == {(128, 96)}

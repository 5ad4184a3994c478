# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
import pytest
import torch
import torch.nn.functional as F
from mmengine.registry import init_default_scope
from mmengine.runner import Runner

from mmhires.registry import MODELS

SIZE = (97, 131)  # padded to 98x132


@pytest.fixture
def build(streets_config, tmp_path):

    def build(type_='mmhires.SuperResolvingSegmentor', dsrl=True):
        cfg = streets_config(tmp_path, dsrl)
        init_default_scope(cfg.default_scope)
        cfg.model.type = type_
        torch.manual_seed(0)
        return MODELS.build(cfg.model).eval()

    return build


def test_image_is_in_the_values_size_and_channels_of_the_loaded_one(build, random_batch):
    model, batch = build(), random_batch(11, SIZE)
    mean = torch.tensor([123.675, 116.28, 103.53])[:, None, None]
    std = torch.tensor([58.395, 57.12, 57.375])[:, None, None]
    rgb = torch.stack(batch['inputs']).float()[:, [2, 1, 0]]
    perfect = F.pad((rgb - mean) / std, [0, 1, 0, 1])
    model.decode_head.super_resolve = lambda *args: perfect
    with torch.no_grad():
        results = model.test_step(batch)
    for image, result in zip(batch['inputs'], results):
        torch.testing.assert_close(result.pred_img.data, image.float(), atol=1e-3, rtol=0)


def test_values_stay_within_those_of_an_image(build, random_batch):
    model = build()
    model.decode_head.super_resolve = lambda *args: torch.stack(
        [torch.full((3, 98, 132), value) for value in (-9.0, 9.0)]
    )
    with torch.no_grad():
        dark, bright = model.test_step(random_batch(11, SIZE))
    assert dark.pred_img.data.eq(0).all()
    assert bright.pred_img.data.eq(255).all()


def test_encoder_runs_once_and_data_samples_are_not_needed(build):
    model, runs = build(), []
    model.backbone.register_forward_hook(lambda *args: runs.append(1))
    with torch.no_grad():
        (result,) = model(torch.randn(1, 3, 32, 48), mode='predict')
    assert len(runs) == 1
    assert result.pred_img.shape == (64, 96)
    assert result.pred_sem_seg.shape == (64, 96)


def test_labels_are_those_of_encoder_decoder(build, random_batch):
    ours, plain = build(), build('EncoderDecoder')
    plain.load_state_dict(ours.state_dict())
    with torch.no_grad():
        got, want = (model.test_step(random_batch(11, SIZE))[0] for model in (ours, plain))
    assert torch.equal(got.seg_logits.data, want.seg_logits.data)
    assert 'pred_img' not in want


def test_network_without_sisr_branch_is_refused(build):
    with pytest.raises(ValueError, match='DepthwiseSeparableASPPHead.*sisr'):
        build(dsrl=False)


def test_ordinary_test_loop_measures_the_branch(streets_config, tmp_path):
    cfg = streets_config(tmp_path)
    cfg.model.type = 'mmhires.SuperResolvingSegmentor'
    cfg.test_evaluator = [*cfg.test_evaluator, dict(type='mmhires.SuperResolutionMetric', scale=2)]
    scores = Runner.from_cfg(cfg).test()
    assert 'mIoU' in scores
    # Nothing is learned yet: an image of noise.
    assert 0 < scores['PSNR'] < 20 < scores['PSNR.bicubic']
    assert -1 < scores['SSIM'] < scores['SSIM.bicubic'] < 1

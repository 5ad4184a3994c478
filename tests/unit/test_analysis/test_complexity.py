# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from torch import nn

from mmhires.analysis import (
    build_model,
    count_branches,
    count_macs,
    count_outputs,
    count_params,
    count_training_branches,
)
from mmhires.models.layers.encoding import Encoding
from mmhires.registry import MODELS

DSRL = Path(__file__).resolve().parents[3] / 'configs' / 'dsrl'
SETTINGS = 'deeplabv3plus-r101-d8_4xb2-80k_cityscapes-512x1024'


def build(name):
    cfg = Config.fromfile(DSRL / f'{name}.py')
    init_default_scope(cfg.default_scope)
    cfg.model.pretrained = None
    return MODELS.build(cfg.model)


def test_convolutions_of_every_kind_are_counted_by_their_formula():
    model = nn.Sequential(
        nn.Conv2d(3, 8, 3, stride=2, padding=1),  # 3 * 8 * 9 on 4 x 6
        nn.BatchNorm2d(8),
        nn.Conv2d(8, 8, 3, padding=2, dilation=2, groups=8),  # 8 * 9 on 4 x 6
        nn.ConvTranspose2d(8, 5, 4, stride=2, padding=1),  # 8 * 5 * 16 on 4x6
        nn.Flatten(),
        nn.Linear(5 * 8 * 12, 7),
    )
    expected = 24 * (3 * 8 * 9 + 8 * 9 + 8 * 5 * 16) + 5 * 8 * 12 * 7
    assert count_macs(model, (3, 8, 12)) == expected
    assert count_macs(model, (2, 3, 8, 12)) == 2 * expected


def test_counting_computes_nothing_and_leaves_the_model_as_it_is():
    model = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4)).train()
    before = {k: v.clone() for k, v in model.state_dict().items()}
    count_macs(model, (3, 8, 8))
    assert model.training
    for key, value in model.state_dict().items():
        assert value.device.type == 'cpu'
        torch.testing.assert_close(value, before[key])


@pytest.mark.parametrize('height, gmacs', [(512, 507.471), (256, 126.869)])
def test_deeplabv3plus_r101_costs_what_was_measured_elsewhere(height, gmacs):
    model = build(SETTINGS)
    assert count_macs(model, (3, height, 2 * height)) / 1e9 == pytest.approx(gmacs, abs=5e-4)
    assert count_params(model) == (62_582_006, 60_217_315)


def test_sssr_adds_at_most_three_percent_to_deeplabv3plus_r101():
    shape = (3, 512, 1024)
    baseline = count_macs(build(SETTINGS), shape)
    dsrl = count_macs(build(f'dsrl_{SETTINGS}-to-1024x2048'), shape)
    # One deconvolution 512 -> 32, kernel 4, on 128 x 256 features, and the
    # classifier on 32 channels at 256 x 512 in place of 512 at 128 x 256.
    pixels = 128 * 256
    assert dsrl - baseline == pixels * (512 * 32 * 16 + 4 * 32 * 19 - 512 * 19)
    assert dsrl / baseline < 1.03


def test_the_encoding_layer_is_left_out_as_published_counts_have_it():
    model = nn.Sequential(nn.Conv2d(2, 4, 1), Encoding(4, 3))
    assert count_macs(model, (2, 5, 6)) == 2 * 4 * 5 * 6


def test_a_backbone_whose_train_returns_nothing_is_counted():
    """As MMSegmentation's ResNet."""

    class Backbone(nn.Conv2d):
        def train(self, mode=True):
            super().train(mode)

    assert count_macs(Backbone(2, 4, 1), (2, 5, 6)) == 2 * 4 * 5 * 6


def test_training_adds_what_inference_leaves_out_branch_by_branch():
    model = build_model(
        str(DSRL / 'dsrl_deeplabv3plus-r18s-d16_1xb4-300_streets-96x192-to-192x384.py')
    )
    height, width = 64, 128
    before = {key: value.clone() for key, value in model.state_dict().items()}
    inference = count_branches(model, (3, height, width))
    training = count_training_branches(model, (2 * height, 2 * width))
    for key, value in model.state_dict().items():
        torch.testing.assert_close(value, before[key])
    assert inference[''] == count_macs(model, (3, height, width))
    assert inference[''] == sum(macs for name, macs in inference.items() if name)
    for name in inference:
        if name:
            assert training[name] == inference[name]
    added = training.keys() - inference.keys()
    assert added == {
        f'decode_head.{part}' for part in ('sisr_head', 'feature_transform', 'loss_fa')
    }
    assert training[''] - inference[''] == sum(training[name] for name in added)
    # 1x1 on 32 channels, and all pairs of the pooled pixels, once each of two
    # matrices of two widths, at half the input's size.
    pixels = height * width // 4
    assert training['decode_head.feature_transform'] == pixels * 32 * 32
    assert training['decode_head.loss_fa'] == (pixels // 64) ** 2 * (32 + 32)


def test_outputs_of_chosen_modules_are_counted():
    model = nn.Sequential(nn.Conv2d(2, 4, 1, bias=False), nn.BatchNorm2d(4), nn.Conv2d(4, 3, 1))
    assert count_outputs(model, (2, 5, 6), lambda m: isinstance(m, nn.BatchNorm2d)) == 4 * 5 * 6
    assert (
        count_outputs(model, (2, 5, 6), lambda m: getattr(m, 'bias', None) is not None)
        == (4 + 3) * 5 * 6
    )

# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
import copy

import pytest
import torch
from torch import nn

from mmhires.analysis import build_model, measure_training, network_input, random_batch


@pytest.fixture
def models(repo_root):
    """The networks of the demo."""
    name = 'deeplabv3plus-r18s-d16_1xb4-300_streets-96x192'
    return {
        short: build_model(str(repo_root / f'configs/dsrl/{config}.py'))
        for short, config in (('baseline', name), ('dsrl', f'dsrl_{name}-to-192x384'))
    }


def test_steps_train_every_branch_and_leave_the_weights_as_they_are(models):
    before = {name: [p.clone() for p in model.parameters()] for name, model in models.items()}
    rebuilt = []
    models['dsrl'].decode_head.sisr_head.to_image.register_full_backward_hook(
        lambda *_: rebuilt.append(1)
    )
    costs = measure_training(models, dict.fromkeys(models, (64, 128)), repeats=2, warmup=1)
    for name, model in models.items():
        assert 0 < costs[name].low <= costs[name].median <= costs[name].high
        for old, parameter in zip(before[name], model.parameters()):
            torch.testing.assert_close(old, parameter, rtol=0, atol=0)
        # At this size most is the gradients of the weights.
        bytes_of_gradients = 4 * sum(old.numel() for old in before[name])
        assert 1 < costs[name].memory / bytes_of_gradients < 1.5
    assert len(rebuilt) == 1 + 2 + 1  # to warm up, to time, to weigh


def test_steps_in_bf16_compute_convolutions_in_bf16(models):
    seen = []
    model = models['dsrl']
    model.decode_head.conv_seg.register_forward_hook(
        lambda module, args, out: seen.append(out.dtype)
    )
    measure_training(dict(a=model), dict(a=(64, 128)), repeats=2, warmup=0, bf16=True)
    assert set(seen) == {torch.bfloat16}


def test_only_segmentors_get_random_labels():
    with pytest.raises(ValueError, match='segmentors.*Conv2d'):
        random_batch(nn.Conv2d(3, 3, 1), (8, 8))


def test_a_batch_has_images_and_labels_of_the_model_s_classes(models):
    batch = random_batch(models['baseline'], (20, 30), batch_size=3)
    assert [x.shape for x in batch['inputs']] == [(3, 20, 30)] * 3
    labels = torch.stack([sample.gt_sem_seg.data for sample in batch['data_samples']])
    assert labels.shape == (3, 1, 20, 30)
    assert set(labels.unique().tolist()) == set(range(models['baseline'].decode_head.num_classes))


def test_a_batch_has_the_channels_of_the_first_convolution(models):
    model = copy.deepcopy(models['baseline'])
    first = next(x for x in model.backbone.modules() if isinstance(x, nn.Conv2d))
    first.in_channels = 5
    model.data_preprocessor.mean = torch.zeros(1, 1, 1)
    batch = random_batch(model, (20, 30))
    assert batch['inputs'][0].shape == (5, 20, 30)
    assert network_input(model, (20, 30)) == (1, 5, 10, 15)

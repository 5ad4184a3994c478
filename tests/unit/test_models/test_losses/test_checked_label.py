# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
import pytest
import torch

from mmhires.registry import MODELS

LOGITS = torch.arange(20.0).reshape(1, 5, 2, 2).sin()
LABEL = torch.tensor([[[0, 4], [255, 2]]])
WEIGHTED = dict(type='mmhires.WeightedCrossEntropyLoss', class_weight=[1.0, 2.0, 3.0, 4.0, 5.0])
BOUNDARY = dict(
    type='mmhires.BoundaryReweightedLoss',
    loss=dict(type='mmseg.CrossEntropyLoss', class_weight=[1.0] * 5),
)


@pytest.mark.parametrize('loss', [WEIGHTED, BOUNDARY])
@pytest.mark.parametrize('dtype', [torch.uint8, torch.int32])
def test_labels_of_8_bits_are_classes_and_no_mask(loss, dtype):
    loss = MODELS.build(loss)
    torch.testing.assert_close(loss(LOGITS, LABEL.to(dtype)), loss(LOGITS, LABEL))


@pytest.mark.parametrize('loss', [WEIGHTED, BOUNDARY])
@pytest.mark.parametrize('value', [-1, 5, 254])
def test_a_label_that_is_no_class_is_named_with_what_to_look_at(loss, value):
    label = LABEL.masked_fill(LABEL == 4, value)
    with pytest.raises(ValueError, match=rf'none of the 5 classes.*\[{value}\].*num_cla'):
        MODELS.build(loss)(LOGITS, label)


def test_labels_with_a_fraction_are_refused_rather_than_cut_off():
    with pytest.raises(TypeError, match='integers, got torch.float32'):
        MODELS.build(WEIGHTED)(LOGITS, LABEL + 0.5)


def test_one_logit_may_stand_for_two_classes():
    loss = MODELS.build(
        dict(
            type='mmhires.BoundaryReweightedLoss',
            loss=dict(type='mmseg.CrossEntropyLoss', use_sigmoid=True),
        )
    )
    assert loss(LOGITS[:, :1], (LABEL == 4).long()).isfinite()

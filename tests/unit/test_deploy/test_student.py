# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
import copy

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope

from mmhires.deploy import extract_student
from mmhires.registry import MODELS

NAME = 'hrfr_deeplabv2-r18s-d8_1xb4-400_camvid-180x240-to-360x480.py'


@pytest.fixture
def hrfr(repo_root):
    cfg = Config.fromfile(repo_root / 'configs/research' / NAME)
    init_default_scope('mmseg')
    return cfg, MODELS.build(copy.deepcopy(cfg.model)).eval()


@pytest.mark.parametrize('in_a_list', [False, True])
def test_student_is_an_encoder_decoder_with_the_same_logits(hrfr, in_a_list):
    cfg, model = hrfr
    weights = model.state_dict()
    if in_a_list:
        cfg.model.neck = [cfg.model.neck]
        weights = {key.replace('neck.', 'neck.0.'): value for key, value in weights.items()}
    before = copy.deepcopy(cfg)
    student_cfg, student_weights = extract_student(cfg, weights)
    student = MODELS.build(student_cfg.model).eval()
    assert type(student).__name__ == 'EncoderDecoder'
    student.load_state_dict(student_weights)
    x = torch.randn(1, 3, 48, 64)
    with torch.no_grad():
        torch.testing.assert_close(student(x), model(x), rtol=0, atol=0)
    assert not any('aux' in key for key in student_weights)
    assert cfg.model == before.model


def test_weights_of_another_model_are_refused(hrfr):
    cfg, model = hrfr
    weights = model.state_dict()
    weights.pop('backbone.layer4.1.conv2.weight')
    with pytest.raises(ValueError, match='layer4.1.conv2.weight'):
        extract_student(cfg, weights)


def test_a_model_without_a_student_is_refused(hrfr):
    cfg, model = hrfr
    cfg.model.type = 'EncoderDecoder'
    with pytest.raises(ValueError, match='mmhires.HRFR.*EncoderDecoder'):
        extract_student(cfg, model.state_dict())


def test_student_of_a_distilled_segmentor_is_the_plain_one(repo_root):
    cfg = Config.fromfile(
        repo_root / 'configs/study' / 'espnetv2-s2-distilled_1xb4-3000_camvid-180x240.py'
    )
    init_default_scope('mmseg')
    model = MODELS.build(copy.deepcopy(cfg.model))
    student_cfg, weights = extract_student(cfg, model.state_dict())
    plain = Config.fromfile(repo_root / 'configs/study/espnetv2-s2_1xb4-3000_camvid-180x240.py')
    assert student_cfg.model == plain.model
    MODELS.build(student_cfg.model).load_state_dict(weights)

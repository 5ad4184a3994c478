# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
import pytest
import torch
from mmengine.config import Config
from mmengine.model import revert_sync_batchnorm
from mmengine.registry import init_default_scope

from mmhires.converters import convert
from mmhires.registry import MODELS


@pytest.fixture
def model(repo_root):
    cfg = Config.fromfile(repo_root / 'configs/dsrl/dabnet_4xb2-80k_cityscapes-512x1024.py')
    init_default_scope('mmseg')
    return revert_sync_batchnorm(MODELS.build(cfg.model)).eval()


def test_authors_weights_predict_what_their_code_did(model, parity):
    state_dict, image, expected = parity('dabnet')
    model.load_state_dict(convert(state_dict, 'dabnet'))
    with torch.no_grad():
        logits = model.encode_decode(image, [dict(img_shape=image.shape[2:])])
    assert (logits - expected).abs().max() < 1e-5 * expected.abs().max()


def test_every_tensor_comes_back_under_the_authors_key(model, parity):
    state_dict = parity('dabnet')[0]
    back = convert(convert(state_dict, 'dabnet'), 'dabnet', reverse=True)
    assert set(back) == set(state_dict)
    assert all(back[key] is state_dict[key] for key in back)


def test_any_number_of_classes_converts(parity):
    state_dict = parity('dabnet')[0]
    classifier = 'classifier.0.conv.weight'
    state_dict[classifier] = state_dict[classifier][:11]
    converted = convert(state_dict, 'dabnet')
    assert converted['decode_head.conv_seg.weight'].shape == (11, 259, 1, 1)


def test_weights_of_another_network_are_refused(model, parity):
    with pytest.raises(ValueError, match=r"authors' DABNet: there is no"):
        convert(model.state_dict(), 'dabnet')
    state_dict = parity('dabnet')[0]
    state_dict.pop('init_conv.0.conv.weight')
    with pytest.raises(ValueError, match='missing keys .*init_conv.0.conv'):
        convert(state_dict, 'dabnet')

# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.model import revert_sync_batchnorm
from mmengine.registry import init_default_scope

from mmhires.converters import convert
from mmhires.models.backbones import ESPNetv2
from mmhires.registry import MODELS


@pytest.fixture
def weights(shared_dir):
    return torch.load(
        shared_dir / 'weights/espnetv2_s_2.0_city_1024x512.pth',
        map_location='cpu',
        weights_only=True,
    )


def build(repo_root, name):
    cfg = Config.fromfile(next(repo_root.glob(f'configs/*/{name}.py')))
    init_default_scope('mmseg')
    return revert_sync_batchnorm(MODELS.build(cfg.model)).eval()


def test_real_weights_predict_on_a_real_image_what_edgenets_did(repo_root, shared_dir, weights):
    model = build(repo_root, 'espnetv2-s2_zero-shot_camvid-360x480')
    model.load_state_dict(convert(weights, 'espnetv2'))
    image = cv2.imread(str(shared_dir / 'data/camvid/val/0016E5_07959.png'))[:352]
    data = dict(inputs=[torch.from_numpy(image.transpose(2, 0, 1).copy())])
    with torch.no_grad():
        (result,) = model.test_step(data)
    expected = np.load(shared_dir / 'reference/parity/espnetv2_city_on_camvid.npz')
    labels = torch.from_numpy(expected['output_labels'])
    same = (result.pred_sem_seg.data == labels).double().mean()
    assert same >= 0.9999
    logits = torch.from_numpy(expected['output_8th'])[0]
    torch.testing.assert_close(result.seg_logits.data[:, ::8, ::8], logits, atol=1e-4, rtol=0)


def test_every_tensor_comes_back_under_the_authors_key(weights):
    converted = convert(weights, 'espnetv2')
    back = convert(converted, 'espnetv2', reverse=True)
    assert set(back) == set(weights)
    assert all(back[key] is weights[key] for key in back)


def test_all_but_the_classifier_goes_into_camvids_models(repo_root, weights):
    """By mmengine's load_from, which leaves other shapes behind."""
    converted = convert(weights, 'espnetv2')
    classifier = [f'decode_head.conv_seg.{key}' for key in ('weight', 'bias')]
    for key in classifier:
        converted.pop(key)
    name = '1xb4-400_camvid-180x240'
    plain = build(repo_root, f'espnetv2-s2_{name}')
    missing, unexpected = plain.load_state_dict(converted, strict=False)
    assert set(missing) == set(classifier) and not unexpected
    dsrl = build(repo_root, f'dsrl_espnetv2-s2_{name}-to-360x480')
    missing, unexpected = dsrl.load_state_dict(converted, strict=False)
    assert not unexpected
    parts = {'.'.join(key.split('.')[:2]) for key in missing}
    assert parts == {
        f'decode_head.{part}' for part in ('conv_seg', 'sssr', 'sisr_head', 'feature_transform')
    }
    torch.testing.assert_close(
        dsrl.decode_head.inner.poolings[3].merge.conv.weight,
        weights['bu_dec_l4.merge_layer.2.cbr.0.weight'],
    )


@pytest.mark.parametrize('scale', [0.5, 1.25])
def test_classifier_of_imagenet_gives_the_backbone(scale):
    backbone = ESPNetv2(scale)
    head = MODELS.build(
        dict(
            type='mmhires.ESPNetv2Head',
            in_channels=backbone.out_channels,
            channels=4,
            num_classes=9,
        )
    )
    ours = torch.nn.ModuleDict(dict(backbone=backbone, decode_head=head))
    theirs = {
        key.removeprefix('base_net.'): value
        for key, value in convert(ours.state_dict(), 'espnetv2', reverse=True).items()
        if key.startswith('base_net.')
    }
    for key in ('level5_0.act.weight', 'level5.0.proj_1x1.conv.weight', 'classifier.bias'):
        theirs[key] = torch.zeros(3)
    converted = convert(theirs, 'espnetv2')
    assert set(converted) == set(backbone.state_dict())
    assert all(converted[key].equal(value) for key, value in backbone.state_dict().items())


def test_weights_of_another_network_are_refused(weights):
    with pytest.raises(ValueError, match=r"EdgeNets' ESPNetv2: there is no"):
        convert(dict(weight=torch.zeros(1)), 'espnetv2')
    key = 'base_net.level4.6.module_act.weight'
    with pytest.raises(ValueError, match=f'missing keys .*{key}'):
        convert({k: v for k, v in weights.items() if k != key}, 'espnetv2')
    odd = dict(weights)
    odd['base_net.level1.conv.weight'] = torch.zeros(31, 3, 3, 3)
    with pytest.raises(ValueError, match='no scale of the widths'):
        convert(odd, 'espnetv2')

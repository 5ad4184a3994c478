# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
import numpy as np
import pytest
import torch
from mmseg.apis import init_model

from mmhires.analysis.feature_maps import capture_features, default_layers, draw_feature_maps

IMAGE = np.random.default_rng(0).integers(0, 256, (97, 131, 3), np.uint8)


@pytest.fixture
def model(streets_config, tmp_path):

    def model(dsrl=True):
        cfg = streets_config(tmp_path, dsrl)
        cfg.test_pipeline.insert(0, dict(type='LoadImageFromNDArray'))
        return init_model(cfg, device='cpu')

    return model


def test_defaults_are_what_the_figures_compare(model):
    assert default_layers(model(dsrl=False)) == ['decode_head.conv_seg:in']
    assert default_layers(model()) == ['decode_head.conv_seg:in', 'decode_head.sisr_head']


def test_maps_are_what_the_modules_returned_for_this_image(model):
    model = model()
    maps = capture_features(
        model, IMAGE, ['decode_head.sssr', 'decode_head.conv_seg:in', 'backbone']
    )
    inputs = model.data_preprocessor(dict(inputs=[torch.from_numpy(IMAGE).permute(2, 0, 1)]))[
        'inputs'
    ]
    with torch.no_grad():
        feats = model.extract_feat(inputs)
        expected = model.decode_head.sssr_features(feats)[0]
    torch.testing.assert_close(maps['decode_head.sssr'], expected)
    # No dropout in inference: the classifier is given the SSSR features.
    assert torch.equal(maps['decode_head.conv_seg:in'], maps['decode_head.sssr'])
    torch.testing.assert_close(maps['backbone'], feats[0][0])


def test_sisr_features_are_captured_though_inference_leaves_them_out(model):
    maps = capture_features(model(), IMAGE, ['decode_head.sisr_head'])
    assert maps['decode_head.sisr_head'].shape == (32, 26, 34)
    assert maps['decode_head.sisr_head'].std() > 0


def test_nothing_stays_attached_to_the_model(model):
    model = model()
    capture_features(model, IMAGE, default_layers(model))
    with pytest.raises(ValueError):
        capture_features(model, IMAGE, ['decode_head.feature_transform'])
    assert not any(m._forward_hooks for m in model.modules())


@pytest.mark.parametrize(
    'layer, message',
    [
        (
            'decode_head.ssr',
            r"no module 'decode_head.ssr'; decode_head has .*"
            r'did you mean decode_head.sssr',
        ),
        ('neck', r"no module 'neck'; the model has .*backbone, decode_head"),
        ('decode_head.feature_transform', 'does not run in inference'),
        ('decode_head.loss_fa', 'does not run in inference'),
    ],
)
def test_module_that_gives_no_maps_is_named(model, layer, message):
    with pytest.raises(ValueError, match=message):
        capture_features(model(), IMAGE, [layer])


def test_picture_shows_the_image_and_low_blue_and_high_red():
    half = torch.cat([torch.zeros(4, 8, 8), torch.ones(4, 8, 8)], dim=2)
    figure = draw_feature_maps(IMAGE, [('half', half), ('again', half)])
    panels = [axes.images[0].get_array() for axes in figure.axes]
    assert [axes.get_title() for axes in figure.axes] == ['input', 'half', 'again']
    assert (panels[0] == IMAGE[..., ::-1]).all()
    assert panels[1].shape == IMAGE.shape
    left, right = panels[1][48, 0].astype(int), panels[1][48, -1].astype(int)
    assert left[2] > 100 > left[0] and right[0] > 100 > right[2]

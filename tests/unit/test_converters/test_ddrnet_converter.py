# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
import pytest
import torch
from mmengine.config import Config
from mmengine.model import revert_sync_batchnorm
from mmengine.registry import init_default_scope

from mmhires.converters import convert
from mmhires.registry import MODELS

CITYSCAPES = '4xb3-120k_cityscapes-1024x1024'
IMAGENET = '4xb64-100e_imagenet-224x224'
NORM = dict(type='BN', requires_grad=True)


@pytest.fixture
def build(repo_root):
    """Makes the model of a config, every tensor of it drawn, to predict."""

    def build(name, seed=0):
        cfg = Config.fromfile(repo_root / f'configs/ddrnet/ddrnet-{name}.py')
        init_default_scope(cfg.default_scope)
        cfg.model.backbone.init_cfg = None
        return draw(revert_sync_batchnorm(MODELS.build(cfg.model)), seed)

    return build


def draw(model, seed=0):
    """Let no two tensors be equal, and no stem bias be 0."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for key, tensor in model.state_dict().items():
            if tensor.dtype.is_floating_point:
                noise = torch.randn(tensor.shape, generator=generator)
                scale = 0.1
                if tensor.ndim > 1:
                    scale = (2 / tensor[0].numel()) ** 0.5
                tensor.copy_(
                    noise * scale + float(tensor.ndim == 1 and key.endswith(('weight', 'var')))
                )
    return model.eval()


def mmseg_ddrnet(channels=32):
    """MMSegmentation's own DDRNet with its head."""
    init_default_scope('mmseg')
    return draw(
        MODELS.build(
            dict(
                type='EncoderDecoder',
                backbone=dict(type='DDRNet', channels=channels, norm_cfg=NORM),
                decode_head=dict(
                    type='DDRHead',
                    in_channels=4 * channels,
                    channels=64,
                    num_classes=19,
                    norm_cfg=NORM,
                    loss_decode=[dict(type='OhemCrossEntropy')] * 2,
                ),
                test_cfg=dict(mode='whole'),
            )
        ),
        seed=1,
    )


def equal(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[key], other[key]) for key in one)


def relative_error(output, expected):
    return ((output - expected).abs().max() / expected.abs().max()).item()


@pytest.mark.parametrize(
    'fixture, config',
    [('ddrnet_23_slim', f'23-slim_{CITYSCAPES}'), ('ddrnet_23', f'23_{CITYSCAPES}')],
)
def test_segmentor_agrees_with_the_authors(fixture, config, parity, build):
    weights, image, expected = parity(fixture)
    model = build(config)
    rest = model.load_state_dict(convert(weights, 'ddrnet'), strict=False)
    assert not rest.unexpected_keys
    assert {key.split('.')[0] for key in rest.missing_keys} == {'auxiliary_head'}
    with torch.no_grad():
        assert relative_error(model(image), expected) < 1e-5


def test_auxiliary_head_agrees_with_the_authors(parity, build):
    weights, image, expected = parity('ddrnet_23_slim_aux')
    model = build(f'23-slim_{CITYSCAPES}')
    model.load_state_dict(convert(weights, 'ddrnet'))
    with torch.no_grad():
        maps = model.extract_feat(image)
        assert relative_error(model.decode_head(maps), expected[0]) < 1e-5
        assert relative_error(model.auxiliary_head(maps), expected[1]) < 1e-5


def test_classifier_agrees_with_the_authors(parity, build):
    pytest.importorskip('mmpretrain')
    weights, image, expected = parity('ddrnet_23_slim_imagenet')
    model = build(f'23-slim_{IMAGENET}')
    model.load_state_dict(convert(weights, 'ddrnet-imagenet'))
    with torch.no_grad():
        assert relative_error(model(image), expected) < 1e-5


@pytest.mark.parametrize(
    'fixture, source',
    [
        ('ddrnet_23_slim_aux', 'ddrnet'),
        ('ddrnet_23', 'ddrnet'),
        ('ddrnet_23_slim_imagenet', 'ddrnet-imagenet'),
    ],
)
def test_authors_weights_return_as_they_came(fixture, source, parity):
    weights = parity(fixture)[0]
    before = {key: value.clone() for key, value in weights.items()}
    ours = convert(weights, source)
    assert equal(convert(ours, source, reverse=True), before)
    assert equal(weights, before)


def test_ddrnet_39_has_the_keys_of_the_authors_file(build):
    model = build(f'39_{CITYSCAPES}')
    theirs = convert(model.state_dict(), 'ddrnet', reverse=True)
    p = 64
    # segmentation/DDRNet_39.py of the authors
    shapes = {
        'conv1.3.bias': (p,),
        'layer1.2.conv2.weight': (p, p, 3, 3),
        'layer2.3.bn2.running_var': (2 * p,),
        'layer3_1.0.downsample.0.weight': (4 * p, 2 * p, 1, 1),
        'layer3_2.2.conv1.weight': (4 * p, 4 * p, 3, 3),
        'layer3_1_.0.bn1.weight': (2 * p,),
        'layer3_2_.2.conv2.weight': (2 * p, 2 * p, 3, 3),
        'layer4_.2.bn2.bias': (2 * p,),
        'layer4.0.downsample.1.weight': (8 * p,),
        'compression3_1.0.weight': (2 * p, 4 * p, 1, 1),
        'compression3_2.1.bias': (2 * p,),
        'compression4.0.weight': (2 * p, 8 * p, 1, 1),
        'down3_1.0.weight': (4 * p, 2 * p, 3, 3),
        'down3_2.1.weight': (4 * p,),
        'down4.3.weight': (8 * p, 4 * p, 3, 3),
        'layer5_.0.conv3.weight': (4 * p, 2 * p, 1, 1),
        'layer5.0.downsample.0.weight': (16 * p, 8 * p, 1, 1),
        'spp.scale4.3.weight': (128, 16 * p, 1, 1),
        'spp.compression.2.weight': (4 * p, 640, 1, 1),
        'seghead_extra.conv1.weight': (256, 2 * p, 3, 3),
        'final_layer.bn2.weight': (256,),
        'final_layer.conv2.bias': (19,),
    }
    for key, shape in shapes.items():
        assert theirs[key].shape == shape, key
    assert {key.split('.')[0] for key in theirs} == {
        'conv1',
        'layer1',
        'layer2',
        'layer3_1',
        'layer3_2',
        'layer4',
        'layer5',
        'layer3_1_',
        'layer3_2_',
        'layer4_',
        'layer5_',
        'compression3_1',
        'compression3_2',
        'compression4',
        'down3_1',
        'down3_2',
        'down4',
        'spp',
        'seghead_extra',
        'final_layer',
    }
    model.load_state_dict(convert(theirs, 'ddrnet'))


@pytest.mark.parametrize('prefix', ['module.', 'model.', 'module.model.'])
def test_wrappers_and_the_weights_of_a_trainers_loss_are_taken_off(prefix, build):
    model = build(f'23-slim_{CITYSCAPES}')
    theirs = convert(model.state_dict(), 'ddrnet', reverse=True)
    wrapped = {prefix + key: value for key, value in theirs.items()}
    if 'model.' in prefix:
        loss = prefix.replace('model.', 'loss.')
        wrapped[f'{loss}criterion.weight'] = torch.ones(19)
    assert equal(convert(wrapped, 'ddrnet'), model.state_dict())


def test_mmseg_weights_predict_the_same_here(build):
    theirs = mmseg_ddrnet()
    model = build(f'23-slim_{CITYSCAPES}')
    model.load_state_dict(convert(theirs.state_dict(), 'mmseg-ddrnet'))
    image = torch.randn(1, 3, 128, 256)
    with torch.no_grad():
        assert model.backbone.stem[0].conv.bias.abs().max() == 0
        assert relative_error(model(image), theirs(image)) < 1e-5
        # MMSegmentation runs its auxiliary head only in training.
        maps = model.extract_feat(image)
        expected = theirs.decode_head.aux_cls_seg(theirs.decode_head.aux_head(maps[0]))
        assert relative_error(model.auxiliary_head(maps), expected) < 1e-5


def test_stem_biases_are_folded_into_the_means_for_mmseg(build):
    model = build(f'23-slim_{CITYSCAPES}')
    assert model.backbone.stem[1].conv.bias.abs().min() > 0
    theirs = mmseg_ddrnet()
    back = convert(model.state_dict(), 'mmseg-ddrnet', reverse=True)
    theirs.load_state_dict(back)
    image = torch.randn(1, 3, 128, 256)
    with torch.no_grad():
        expected = model(image)
        assert relative_error(theirs(image), expected) < 1e-5
        theirs.load_state_dict(convert(convert(back, 'mmseg-ddrnet'), 'mmseg-ddrnet', reverse=True))
        assert relative_error(theirs(image), expected) < 1e-5


@pytest.mark.parametrize(
    'key',
    [
        'conv1.0.weight',
        'layer3_.1.bn2.running_var',
        'final_layer.conv2.weight',
        'seghead_extra.bn2.bias',
    ],
)
def test_a_truncated_checkpoint_is_refused_with_what_is_missing(key, build):
    model = build(f'23-slim_{CITYSCAPES}')
    theirs = convert(model.state_dict(), 'ddrnet', reverse=True)
    del theirs[key]
    with pytest.raises(ValueError, match=rf'missing keys \(1\): {key}$'):
        convert(theirs, 'ddrnet')


def test_a_key_too_many_or_of_another_shape_is_refused_by_name(build):
    model = build(f'23-slim_{CITYSCAPES}')
    theirs = convert(model.state_dict(), 'ddrnet', reverse=True)
    # PIDNet's checkpoints have the keys of DDRNet and more.
    theirs['pag3.f_x.0.weight'] = torch.zeros(1)
    theirs['down4.0.weight'] = torch.zeros(128, 64, 1, 1)
    with pytest.raises(
        ValueError,
        match=r'DDRNet-23-slim .*unknown keys \(1\): pag3\.f_x.0.weight; '
        r'other shapes \(1\): down4\.0\.weight \(128, 64, 1, 1\) instead '
        r'of \(128, 64, 3, 3\)',
    ):
        convert(theirs, 'ddrnet')


def test_weights_of_another_source_are_named_as_such(build):
    model = build(f'23-slim_{CITYSCAPES}')
    ours = model.state_dict()
    theirs = convert(ours, 'ddrnet', reverse=True)
    with pytest.raises(ValueError, match="of 'ddrnet', not of 'mmseg-ddrnet'"):
        convert(theirs, 'mmseg-ddrnet')
    with pytest.raises(ValueError, match="of 'ddrnet', not .*imagenet'"):
        convert(theirs, 'ddrnet-imagenet')
    with pytest.raises(ValueError, match="of 'mmhires', not of 'ddrnet'"):
        convert(ours, 'ddrnet')
    with pytest.raises(ValueError, match="of 'ddrnet', not of 'mmhires'"):
        convert(theirs, 'ddrnet', reverse=True)
    with pytest.raises(ValueError, match='the backbone alone, which loads as'):
        convert(mmseg_ddrnet().backbone.state_dict(), 'mmseg-ddrnet')
    with pytest.raises(ValueError, match="no DDRNet of 'ddrnet' among"):
        convert({'layer1.0.conv1.weight': torch.zeros(1)}, 'ddrnet')


def test_a_network_that_the_target_lacks_is_refused(build):
    segmentor = build(f'39_{CITYSCAPES}').state_dict()
    with pytest.raises(ValueError, match='MMSegmentation has no DDRNet-39'):
        convert(segmentor, 'mmseg-ddrnet', reverse=True)
    with pytest.raises(ValueError, match="'ddrnet-imagenet' has no segment"):
        convert(segmentor, 'ddrnet-imagenet', reverse=True)


def test_unknown_source_names_those_there_are():
    with pytest.raises(ValueError, match="'pidnet'; there are .*ddrnet"):
        convert({}, 'pidnet')
    with pytest.raises(ValueError, match="target 'fastfcn'; there are dabnet, ddrnet.*mmseg-ddr"):
        convert({}, 'fastfcn', reverse=True)

# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""From a name or files to a model, with EdgeNets' real weights."""

import dataclasses

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config

from mmhires import load_model
from mmhires.deploy import Pipeline, Predictor
from mmhires.deploy.segmentation import SegmentationProcessor
from mmhires.zoo import published as module
from mmhires.zoo.published import config_folder, published

NAME = 'espnetv2-s0.5_cityscapes-256x512'
FILE = 'espnetv2_s_0.5_city_512x256.pth'
ROAD, BUILDING = [128, 64, 128], [70, 70, 70]


@pytest.fixture
def zoo(server, cache, shared_dir, monkeypatch):
    """The true file behind an address on this machine."""
    server.files[FILE] = (shared_dir / 'weights' / FILE).read_bytes()
    entries = dict(published())
    entries[NAME] = dataclasses.replace(entries[NAME], url=server.url('moved', FILE))
    monkeypatch.setattr(module, 'published', lambda: entries)


@pytest.fixture
def street(shared_dir):
    """A real street of CamVid, and where road and buildings are in it."""
    folder = shared_dir / 'data/camvid'
    image = sorted((folder / 'val').glob('*.png'))[0]
    label = cv2.imread(str(folder / 'valannot' / image.name), -1)
    return image, {'road': label == 3, 'building': label == 1}


def test_name_gives_a_model_that_says_where_its_weights_are_from(zoo, cache, capfd):
    model = load_model(NAME, device='cpu')
    assert not model.training
    assert len(model.dataset_meta['classes']) == model.num_classes == 20
    said = capfd.readouterr()
    assert f'{NAME}: weights of EdgeNets (MIT), http' in said.err + said.out
    assert 'Cityscapes mIoU 47.3' in said.err + said.out
    assert (cache / FILE).is_file()


def test_one_command_paints_a_street_in_the_networks_own_colours(zoo, street, tmp_path, call_tool):
    picture, where = street
    assert (
        call_tool(
            'image_demo.py',
            picture,
            '--model',
            NAME,
            '--out-dir',
            tmp_path / 'out',
            '--opacity',
            '1',
            '--device',
            'cpu',
        )
        is None
    )
    out = cv2.imread(str(tmp_path / 'out' / picture.name))[..., ::-1]
    for name, color in (('road', ROAD), ('building', BUILDING)):
        assert (out[where[name]] == color).all(1).mean() > 0.6, name


@pytest.mark.slow
def test_one_command_exports_a_file_with_the_networks_own_classes(zoo, street, tmp_path, call_tool):
    picture, where = street
    assert (
        call_tool('deployment/export.py', '--model', NAME, tmp_path / 'm.pt2', '--images', picture)
        is None
    )
    predictor = Predictor(tmp_path / 'm.pt2')
    assert len(predictor.classes) == len(predictor.palette) == 20
    labels = predictor(picture)
    for name, mask in where.items():
        share = (labels[mask] == predictor.classes.index(name)).mean()
        assert share > 0.6, name


@pytest.mark.parametrize(
    'name, message',
    [
        ('espnetv2-s05_cityscapes-256x512', f'did you mean {NAME}'),
        ('resnet50s_imagenet', 'is a backbone, no whole model'),
    ],
)
def test_bad_names_are_one_line(name, message, street, call_tool):
    error = call_tool('image_demo.py', street[0], '--model', name)
    assert error.startswith('mmhires paint: ') and message in error
    assert '\n' not in error


def test_no_network_is_one_line_that_names_the_address(zoo, server, street, call_tool):
    server.files.clear()
    error = call_tool('image_demo.py', street[0], '--model', NAME)
    assert '404' in error and FILE in error and '\n' not in error


def test_config_without_a_checkpoint_is_asked_for_one():
    config = config_folder() / published()[NAME].config
    with pytest.raises(ValueError, match='which checkpoint'):
        load_model(config)


def test_weights_of_another_network_are_refused_not_painted(zoo, street, call_tool):
    config = config_folder() / published()['dabnet_cityscapes'].config
    error = call_tool('image_demo.py', street[0], config, f'mmhires://{NAME}')
    assert 'is not of this config' in error and '\n' not in error


def test_file_that_mim_downloaded_needs_no_conversion(shared_dir):
    config = config_folder() / published()[NAME].config
    model = load_model(config, shared_dir / 'weights' / FILE, 'cpu')
    assert len(model.dataset_meta['classes']) == 20


def test_zero_shot_config_has_the_classes_of_its_network(zoo, tmp_path):
    zero_shot = Config.fromfile(config_folder() / 'dsrl/espnetv2-s2_zero-shot_camvid-360x480.py')
    zero_shot.merge_from_dict(
        dict(model=Config.fromfile(config_folder() / published()[NAME].config).model)
    )
    zero_shot.model.backbone.init_cfg = None
    named = load_model(zero_shot, f'mmhires://{NAME}', 'cpu')
    # as another converter, or ours of 0.1, leaves them: without names
    torch.save(named.state_dict(), tmp_path / 'bare.pth')
    bare = load_model(zero_shot, tmp_path / 'bare.pth', 'cpu')
    for model in (named, bare):
        assert model.dataset_meta['classes'][13] == 'car'
        assert len(model.dataset_meta['palette']) == 20


def test_names_of_another_number_of_classes_are_refused(zoo, tmp_path):
    cfg = Config.fromfile(config_folder() / published()[NAME].config)
    cfg.dataset_meta = dict(classes=['a', 'b'], palette=[[0, 0, 0], [1, 1, 1]])
    weights = load_model(NAME, device='cpu').state_dict()
    meta = dict(dataset_meta=dict(classes=tuple('abc'), palette=[[0, 0, 0]] * 3))
    torch.save(dict(meta=meta, state_dict=weights), tmp_path / 'x.pth')
    with pytest.raises(ValueError) as info:
        load_model(cfg, tmp_path / 'x.pth', 'cpu')
    assert (
        'tells 20 classes apart, but there are names and colours of 3 by '
        'the checkpoint, 2 by dataset_meta of the config, 19 by its test'
    ) in str(info.value)


def test_pose_model_has_the_colours_of_its_keypoints(tmp_path):
    pytest.importorskip('mmpose')
    config = config_folder() / ('research/td-hm-r18s_1xb12-300e_coco-sample-128x96.py')
    from mmpose.apis import init_model

    torch.save(init_model(str(config), device='cpu').state_dict(), tmp_path / 'pose.pth')
    assert np.asarray(
        load_model(config, tmp_path / 'pose.pth', 'cpu').dataset_meta['keypoint_colors']
    ).shape == (17, 3)


def test_file_that_names_another_number_of_classes_does_not_predict(zoo):
    spec = SegmentationProcessor.describe(load_model(NAME, device='cpu'))
    spec.update(task='segmentation', input_shape=[1, 3, None, None])
    spec['resize'] = None

    def network(images):
        return images.new_zeros(1, 20, *images.shape[2:])

    image = np.zeros((32, 64, 3), np.uint8)
    assert Pipeline(spec, network)(image).shape == (32, 64)
    for key in ('classes', 'palette'):
        spec[key] = spec[key][:11]
    with pytest.raises(ValueError, match='has 20 outputs, but names 11'):
        Pipeline(spec, network)(image)


def test_model_with_other_names_is_not_described_for_export(zoo):
    model = load_model(NAME, device='cpu')
    model.dataset_meta['classes'] = model.dataset_meta['classes'][:19]
    with pytest.raises(ValueError, match='20 classes apart, .* names 19'):
        SegmentationProcessor.describe(model)

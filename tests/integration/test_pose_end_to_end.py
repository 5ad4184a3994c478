# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""DSRL for pose with the real runners, on real COCO images."""

import copy
import json
import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.runner import Runner

from mmhires.deploy import strip

pytest.importorskip('mmpose')

from mmpose.apis import inference_topdown, init_model

ROOT = Path(__file__).resolve().parents[2]
CONFIG = (
    ROOT / 'configs' / 'research' / 'dsrl_td-hm-r18s_1xb12-300e_coco-sample-128x96-to-256x192.py'
)
EPOCHS = 150
# A third of the pixels of the config, for a third of the time.
CODEC = dict(input_size=(128, 128), heatmap_size=(32, 32))


def on_sample(shared_dir, work_dir):
    """The config on the sample where it lies, for this process."""
    cfg = Config.fromfile(CONFIG)
    for name in ('train', 'val', 'test'):
        loader = cfg[f'{name}_dataloader']
        loader.update(num_workers=0, persistent_workers=False)
        loader.dataset.data_root = f'{shared_dir / "data" / "coco_sample"}/'
        for step in loader.dataset.pipeline:
            if step.type == 'TopdownAffine':
                step.input_size = CODEC['input_size']
            elif step.type == 'GenerateTarget':
                step.encoder.update(CODEC)
    cfg.model.head.heatmap_head.decoder.update(CODEC)
    cfg.work_dir = str(work_dir)
    cfg.experiment_name = Path(work_dir).name
    cfg.randomness = dict(seed=0)
    return cfg


@pytest.fixture(scope='module')
def learned(shared_dir, tmp_path_factory):
    """Config, checkpoint and measurements of a training of half a minute."""
    work_dir = tmp_path_factory.mktemp('learned')
    cfg = on_sample(shared_dir, work_dir)
    cfg.train_cfg.update(max_epochs=EPOCHS, val_interval=EPOCHS)
    cfg.param_scheduler[0].end = EPOCHS
    cfg.default_hooks.checkpoint.interval = EPOCHS
    runner = Runner.from_cfg(cfg)
    runner.train()
    path = work_dir / 'mine.py'
    cfg.dump(path)
    return str(path), str(work_dir / f'epoch_{EPOCHS}.pth'), runner.test()


@pytest.fixture(scope='module')
def model(learned):
    return init_model(*learned[:2], device='cpu')


@pytest.fixture
def persons(shared_dir):
    """Annotations of the sample's persons that have keypoints."""
    path = shared_dir / 'data' / 'coco_sample'
    annotations = json.loads((path / 'test_coco.json').read_text())
    return [
        (str(path / f'{person["image_id"]:012}.jpg'), person)
        for person in annotations['annotations']
        if person['num_keypoints']
    ]


@pytest.fixture
def untrained():
    return init_model(str(CONFIG), device='cpu')


@pytest.mark.slow
def test_real_persons_are_learnt_by_heart(learned):
    # A pixel off anywhere between image, crop and heatmap would show in OKS.
    assert learned[2]['coco/AP'] > 0.9


@pytest.mark.slow
def test_inferencer_takes_our_config_by_path(learned, model, persons):
    from mmpose.apis import MMPoseInferencer

    inferencer = MMPoseInferencer(
        pose2d=learned[0], pose2d_weights=learned[1], det_model='whole_image', device='cpu'
    )
    image, _ = persons[0]
    result = next(inferencer(image, return_vis=True, draw_heatmap=True))
    found = np.array(result['predictions'][0][0]['keypoints'])
    expected = inference_topdown(model, image)[0].pred_instances.keypoints[0]
    np.testing.assert_allclose(found, expected, atol=1e-3)
    height, width = cv2.imread(image).shape[:2]
    # The keypoints, and below them the heatmaps.
    assert result['visualization'][0].shape == (2 * height, width, 3)


@pytest.mark.slow
def test_exported_model_finds_the_same_keypoints(model, persons, tmp_path):
    pytest.importorskip('onnx')
    runtime = pytest.importorskip('onnxruntime')
    image, person = persons[0]
    seen = []
    hook = model.backbone.register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    flip_test, model.test_cfg['flip_test'] = model.test_cfg['flip_test'], False
    eager = inference_topdown(model, image, np.array([person['bbox']]), bbox_format='xywh')[0]
    model.test_cfg['flip_test'] = flip_test
    hook.remove()

    stripped = strip(copy.deepcopy(model))
    assert not [n for n, _ in stripped.named_parameters() if 'sisr' in n]
    file = str(tmp_path / 'pose.onnx')
    # MMPose's forward wants data samples, of which heatmaps need none.
    torch.onnx.export(
        stripped, (seen[0], None), file, dynamo=False, opset_version=17, input_names=['crop']
    )
    session = runtime.InferenceSession(file)
    heatmaps = session.run(None, dict(crop=seen[0].numpy()))[0]
    keypoints, _ = model.head.decoder.decode(heatmaps[0])
    keypoints = (
        keypoints / eager.input_size * eager.input_scale
        + eager.input_center
        - 0.5 * eager.input_scale
    )
    np.testing.assert_allclose(keypoints, eager.pred_instances.keypoints, atol=1e-2)


@pytest.mark.slow
def test_mim_tests_a_checkpoint_of_ours_as_the_runner_does(learned, python, tmp_path):
    done = subprocess.run(
        [
            python,
            '-m',
            'mim',
            'test',
            'mmpose',
            learned[0],
            '--checkpoint',
            learned[1],
            '--work-dir',
            str(tmp_path),
        ],
        capture_output=True,
        text=True,
        env=dict(os.environ, PYTHONPATH=str(ROOT)),
    )
    assert done.returncode == 0, done.stderr[-2000:]
    (log,) = tmp_path.glob('*/*.json')
    measured = json.loads(log.read_text().splitlines()[-1])
    assert measured['coco/AP'] == pytest.approx(learned[2]['coco/AP'])


@pytest.mark.slow
def test_two_processes_train_and_agree(shared_dir, python, free_port, tmp_path):
    cfg = on_sample(shared_dir, tmp_path)
    cfg.train_cfg.update(max_epochs=1, val_interval=1)
    cfg.train_dataloader.batch_size = 3
    cfg.default_hooks.checkpoint.interval = 1
    cfg.dump(tmp_path / 'mine.py')
    done = subprocess.run(
        [str(ROOT / 'tools' / 'dist_train.sh'), str(tmp_path / 'mine.py'), '2'],
        capture_output=True,
        text=True,
        env=dict(os.environ, PYTHON=python, PORT=free_port()),
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert 'Epoch(train) [1][2/2]' in done.stdout
    assert (tmp_path / 'epoch_1.pth').is_file()


@pytest.mark.parametrize('box', [(-50, -50, 30, 40), (500, 500, 600, 700), (10, 10, 10, 50)])
def test_a_box_outside_the_image_has_keypoints_in_its_crop(untrained, box):
    image = np.random.default_rng(0).integers(0, 256, (100, 120, 3), dtype=np.uint8)
    result = inference_topdown(untrained, image, np.array([box], np.float32))
    keypoints = result[0].pred_instances.keypoints[0]
    middle, size = result[0].input_center, result[0].input_scale
    assert np.isfinite(result[0].pred_instances.keypoint_scores).all()
    # Of the codec's refinement half a heatmap pixel and more may be outside.
    assert (np.abs(keypoints - middle) <= 0.6 * size).all()


@pytest.mark.parametrize('box', [(10, 10, 10, 10), (10, 10, 5, 5)])
def test_a_box_without_area_is_refused_by_name(untrained, box):
    image = np.zeros((100, 120, 3), np.uint8)
    with pytest.raises(ValueError, match='box round.*x2 > x1'):
        inference_topdown(untrained, image, np.array([box], np.float32))


@pytest.mark.slow
def test_without_mmpose_segmentation_works_and_pose_says_what_to_install():
    done = subprocess.run(
        [sys.executable, '-W', 'ignore', '-c', WITHOUT_MMPOSE, str(CONFIG)],
        capture_output=True,
        text=True,
        env=dict(os.environ, PYTHONPATH=str(ROOT)),
    )
    assert done.returncode == 0, done.stderr[-2000:]
    built, named, config = done.stdout.split('-----')
    assert 'LowResSegDataPreProcessor' in built
    for said in (named, config):
        assert "No module named 'mmpose'" in said
        assert 'pip install --no-deps mmpose==' in said


WITHOUT_MMPOSE = """
import sys, traceback
class Hide:
    def find_spec(self, name, path=None, target=None):
        if name.split('.')[0] == 'mmpose':
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Hide())
import mmhires
from mmengine.config import Config
from mmhires.registry import MODELS
built = MODELS.build(dict(type='mmhires.LowResSegDataPreProcessor'))
print(type(built).__name__, '-----')
try:
    MODELS.build(dict(type='mmhires.DSRLHeatmapHead', heatmap_head=dict()))
except ImportError as error:
    print(error, '-----')
try:
    Config.fromfile(sys.argv[1])
except ImportError:
    print(traceback.format_exc())
"""

# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Skeletons painted by ``predict.py`` and by ``image_demo.py``."""

import json

import cv2
import numpy as np
import pytest
from mmengine.structures import InstanceData

pytest.importorskip('mmpose.apis')
pytest.importorskip('onnxruntime')


@pytest.fixture(scope='module')
def predictor(files_of, image, tmp_path_factory):
    from mmhires import load_model
    from mmhires.deploy import Predictor, export

    file = tmp_path_factory.mktemp('pose') / 'm.onnx'
    export(load_model(*files_of('pose'), 'cpu'), file, [image])
    return Predictor(file)


def test_skeletons_are_those_of_mmpose(predictor):
    from mmpose.structures import PoseDataSample
    from mmpose.visualization import PoseLocalVisualizer

    from mmhires.deploy.painting import paint_keypoints

    rng = np.random.default_rng(0)
    keypoints = rng.uniform(5, 195, (2, 17, 2)).astype(np.float32)
    scores = rng.uniform(0, 1, (2, 17)).astype(np.float32)
    spec = predictor.processor.spec
    visualizer = PoseLocalVisualizer(
        kpt_color=spec['palette'],
        link_color=spec['skeleton_palette'],
        skeleton=spec['skeleton'],
        alpha=1,
    )
    sample = PoseDataSample(
        pred_instances=InstanceData(keypoints=keypoints, keypoints_visible=scores)
    )
    grey = np.full((200, 200, 3), 90, np.uint8)
    visualizer.add_datasample('', grey, sample, draw_gt=False, draw_bbox=False)
    want = visualizer.get_image()[..., ::-1]
    found = paint_keypoints(grey, keypoints, scores, spec)
    assert (want != 90).any(2).mean() > 0.05
    # The ends of lines are rounded to pixels in slightly other ways.
    assert (found == want).all(2).mean() > 0.99


def test_predict_paints_the_persons_in_the_boxes(
    predictor, call_tool, image, tmp_path, monkeypatch
):
    from mmhires.deploy import painting

    monkeypatch.setattr(painting, 'MIN_SCORE', -9)  # random weights
    box = [10, 5, 70, 90]
    boxes = tmp_path / 'boxes.json'
    boxes.write_text(json.dumps({image.name: [box]}))
    out = tmp_path / 'out'
    assert (
        call_tool(
            'deployment/predict.py', predictor.name, image, '--boxes', boxes, '--out-dir', out
        )
        is None
    )
    want = predictor(image, [box])
    found = json.loads((out / 'street.json').read_text())
    np.testing.assert_allclose(found['keypoints'], want.keypoints)
    picture = cv2.imread(str(image))
    painted = cv2.imread(str(out / 'street.png'))
    assert painted.shape == picture.shape and (painted != picture).any()
    assert (painted[:, 100:] == picture[:, 100:]).all()  # outside the box

    video = tmp_path / 'v.avi'
    writer = cv2.VideoWriter(str(video), cv2.VideoWriter_fourcc(*'MJPG'), 10, picture.shape[1::-1])
    for _ in range(3):
        writer.write(picture)
    writer.release()
    boxes.write_text(json.dumps([box, [40, 20, 120, 60]]))
    assert (
        call_tool(
            'deployment/predict.py', predictor.name, video, '--boxes', boxes, '--out-dir', out
        )
        is None
    )
    frames = json.loads((out / 'v.json').read_text())
    assert [len(frame['keypoints']) for frame in frames] == [2] * 3
    assert cv2.VideoCapture(str(out / 'v.mp4')).get(cv2.CAP_PROP_FRAME_COUNT) == 3


def test_picture_without_boxes_and_boxes_that_cannot_be_are_a_line(
    predictor, call_tool, image, tmp_path
):
    for content, text in (
        ({'other.png': []}, 'has no boxes of it'),
        ([[5, 5, 1, 1]], 'is reversed'),
        ([[0, 0, 9, 1e999]], 'is not finite'),
    ):
        boxes = tmp_path / 'boxes.json'
        boxes.write_text(json.dumps(content))
        error = call_tool(
            'deployment/predict.py',
            predictor.name,
            image,
            '--boxes',
            boxes,
            '--out-dir',
            tmp_path / 'out',
        )
        assert text in error and 'street.png' in error and '\n' not in error
        assert not list((tmp_path / 'out').iterdir())


def test_boxes_file_is_not_overwritten_by_keypoints(predictor, call_tool, image, tmp_path):
    boxes = tmp_path / 'street.json'
    boxes.write_text('[[0, 0, 50, 60]]')
    error = call_tool(
        'deployment/predict.py', predictor.name, image, '--boxes', boxes, '--out-dir', tmp_path
    )
    assert 'street.json would overwrite the input' in error
    assert boxes.read_text() == '[[0, 0, 50, 60]]'


def test_image_demo_paints_skeletons_as_mmpose_does(files_of, call_tool, image, tmp_path):
    from mmpose.apis import inference_topdown
    from mmpose.structures import merge_data_samples
    from mmpose.visualization import PoseLocalVisualizer

    from mmhires.zoo import load_model

    config, weights = files_of('pose')
    box = [10, 5, 70, 90]
    boxes = tmp_path / 'boxes.json'
    boxes.write_text(json.dumps([box]))
    assert (
        call_tool(
            'image_demo.py',
            image,
            config,
            weights,
            '--boxes',
            boxes,
            '--device',
            'cpu',
            '--out-dir',
            tmp_path / 'out',
        )
        is None
    )
    model = load_model(config, weights, 'cpu')
    picture = cv2.imread(str(image))
    samples = inference_topdown(model, picture, np.array([box], np.float32))
    visualizer = PoseLocalVisualizer()
    visualizer.set_dataset_meta(model.dataset_meta)
    visualizer.add_datasample(
        '', picture[..., ::-1], merge_data_samples(samples), draw_gt=False, draw_bbox=False
    )
    np.testing.assert_array_equal(
        cv2.imread(str(tmp_path / 'out/street.png')), visualizer.get_image()[..., ::-1]
    )

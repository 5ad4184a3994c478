# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""What int8 is judged by is decided from the config, which stays as it is."""

import copy

import cv2
import numpy as np
import pytest
from mmengine.config import ConfigDict

from mmhires import load_model
from mmhires.deploy import export
from mmhires.deploy.original import agreement, original_prediction
from mmhires.deploy.score import has_labelled_pictures, make_score

pytest.importorskip('onnxruntime')


@pytest.fixture(scope='module')
def ddrnet(files_of):
    return load_model(*files_of('ddrnet'), 'cpu')


@pytest.fixture(scope='module')
def camvid(tmp_path_factory, image):
    """A test set of one picture, whose labels are a stripe of each class."""
    root = tmp_path_factory.mktemp('camvid')
    (root / 'test').mkdir()
    (root / 'testannot').mkdir()
    picture = cv2.imread(str(image))
    cv2.imwrite(str(root / 'test/a.png'), picture)
    label = np.arange(picture.shape[1], dtype=np.uint8)[None] % 11
    cv2.imwrite(str(root / 'testannot/a.png'), label.repeat(len(picture), 0))
    return root


def dataset_of(root, **changes):
    return ConfigDict(
        dict(
            type='mmhires.CamVidDataset',
            data_root=str(root),
            data_prefix=dict(img_path='test', seg_map_path='testannot'),
            pipeline=[
                dict(type='LoadImageFromFile'),
                dict(type='LoadAnnotations'),
                dict(type='PackSegInputs'),
            ],
        )
        | changes
    )


def config_of(model, dataset, evaluator=None):
    return ConfigDict(
        test_dataloader=dict(dataset=dataset), test_evaluator=evaluator or dict(type='IoUMetric')
    )


def test_test_pictures_that_are_there_are_scored_by_miou(ddrnet, camvid, monkeypatch):
    cfg = copy.deepcopy(ddrnet.cfg)
    cfg.test_dataloader.dataset = dataset_of(camvid)
    before = copy.deepcopy(cfg.to_dict())
    monkeypatch.setattr(ddrnet, 'cfg', cfg)
    name, score = make_score(ddrnet, [], 4)
    assert name == 'mIoU'
    label = cv2.imread(str(camvid / 'testannot/a.png'), -1)
    assert score(lambda path: label) == pytest.approx(100)
    assert score(lambda path: (label + 1) % 11) == pytest.approx(0)
    assert cfg.to_dict() == before


@pytest.mark.parametrize(
    'changes, there',
    [
        ({}, True),
        (dict(data_root='/nowhere'), False),
        (dict(data_prefix=dict(img_path='test', seg_map_path='none')), False),
        (dict(data_prefix=dict(img_path='test')), False),
        (dict(ann_file='list.txt'), False),
        (dict(pipeline=[dict(type='LoadImageFromFile')]), False),
    ],
)
def test_whether_pictures_are_there_is_read_from_the_config(changes, there, ddrnet, camvid):
    dataset = dataset_of(camvid, **changes)
    assert has_labelled_pictures(ddrnet, config_of(ddrnet, dataset)) == there
    joined = ConfigDict(type='ConcatDataset', datasets=[dataset])
    assert has_labelled_pictures(ddrnet, config_of(ddrnet, joined)) == there


@pytest.mark.parametrize(
    'evaluator, says',
    [
        (dict(type='IoUMetric', iou_metrics=['mDice']), False),
        (dict(type='IoUMetric', format_only=True), False),
        (dict(type='CityscapesMetric'), False),
        ([dict(type='mmhires.ClasswiseIoUMetric')], True),
    ],
)
def test_metric_has_to_say_miou(evaluator, says, ddrnet, camvid):
    cfg = config_of(ddrnet, dataset_of(camvid), evaluator)
    assert has_labelled_pictures(ddrnet, cfg) == says


def test_drawn_pictures_are_scored_by_agreement(ddrnet, image, monkeypatch):
    cfg = copy.deepcopy(ddrnet.cfg)
    cfg.test_dataloader.dataset = dict(
        type='mmhires.StreetsDataset', size=(94, 129), length=2, pipeline=[]
    )
    monkeypatch.setattr(ddrnet, 'cfg', cfg)
    name, score = make_score(ddrnet, [image], 2)
    assert name == 'agreement'
    want = original_prediction(ddrnet, image)
    assert score(lambda path: want) == 100
    wrong = want.copy()
    wrong[:47] = 255
    assert score(lambda path: wrong) == pytest.approx(50)


def test_poses_without_annotations_are_scored_by_agreement(files_of, image, tmp_path):
    pytest.importorskip('mmpose.apis')
    from mmhires.deploy import Predictor

    model = load_model(*files_of('pose'), 'cpu')
    model.cfg.test_dataloader.dataset.data_root = '/nowhere'
    name, score = make_score(model, [image], 2)
    assert name == 'agreement'
    export(model, tmp_path / 'pose.onnx', [image])
    assert score(Predictor(tmp_path / 'pose.onnx')) == 100


def test_damaged_label_is_named_and_not_taken_for_no_test_set(
    ddrnet, camvid, tmp_path, monkeypatch
):
    import shutil

    shutil.copytree(camvid, tmp_path / 'data')
    (tmp_path / 'data/testannot/a.png').write_bytes(b'no label')
    cfg = copy.deepcopy(ddrnet.cfg)
    cfg.test_dataloader.dataset = dataset_of(tmp_path / 'data')
    monkeypatch.setattr(ddrnet, 'cfg', cfg)
    with pytest.raises(ValueError, match='testannot/a.png'):
        make_score(ddrnet, [], 4)


def test_export_after_a_prediction_of_an_array(files_of, image, tmp_path):
    """MMSegmentation makes the config of a model one for arrays then."""
    from mmseg.apis import inference_model

    model = load_model(*files_of('ddrnet'), 'cpu')
    picture = cv2.imread(str(image))
    want = inference_model(model, picture).pred_sem_seg.data[0].numpy()
    changed = copy.deepcopy(model.cfg.to_dict())
    assert changed['test_pipeline'][0]['type'] == 'LoadImageFromNDArray'
    assert export(model, tmp_path / 'm.onnx', [image])[0].share >= 0.999
    assert (original_prediction(model, image) == want).mean() >= 0.999
    assert model.cfg.to_dict() == changed
    again = inference_model(model, picture).pred_sem_seg.data[0].numpy()
    assert (again == want).all()


class Sample:
    """A prediction of two keypoints in a heatmap of 8x8 cells of 4 pixels."""

    def __init__(self, heatmaps, keypoints):
        self.input_center = np.array([16.0, 16.0])
        self.input_scale = np.array([32.0, 32.0])
        self.pred_fields = type('', (), {})()
        import torch

        self.pred_fields.heatmaps = torch.from_numpy(heatmaps)
        self.pred_instances = type('', (), {})()
        self.pred_instances.keypoints = np.array([keypoints], float)


def found(*keypoints):
    from mmhires.deploy.pose import Keypoints

    return Keypoints(np.array([keypoints], float), np.ones((1, 2)))


def test_keypoint_of_two_equal_peaks_is_left_out_and_counted():
    pytest.importorskip('mmpose')
    heatmaps = np.zeros((2, 8, 8), np.float32)
    heatmaps[:, 2, 1] = 0.020182082
    heatmaps[0, 6, 7] = 0.020182079
    heatmaps[1, 6, 7] = 0.019
    want = Sample(heatmaps, [[4, 8], [4, 8]])
    assert agreement(want, found([4, 8], [4, 8])) == (1, 0)
    assert agreement(want, found([28, 24], [4, 8])) == (1, 1)
    # the other place is lower: that is a difference
    assert agreement(want, found([4, 8], [28, 24])) == (0.5, 0)
    # a place that is not a peak
    assert agreement(want, found([16, 16], [4, 8])) == (0.5, 0)
    # beside the peak: decoding differs
    assert agreement(want, found([6, 8], [4, 8])) == (0.5, 0)

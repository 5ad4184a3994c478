# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
import contextlib
import importlib
import io
import sys
from importlib.util import find_spec

import numpy as np
import pytest
import torch

from mmhires import compat

pytest.importorskip('mmpose')

no_torchvision = pytest.mark.skipif(
    find_spec('torchvision') is not None, reason='torchvision is installed'
)


@pytest.fixture(scope='module', autouse=True)
def applied():
    pose = [item for item in compat.ITEMS if item.after == 'mmpose']
    assert {item.state for item in pose} <= {'applied', 'not needed'}


def test_without_the_items_mmpose_is_not_importable(monkeypatch):
    for name in list(sys.modules):
        if name.split('.')[0] == 'xtcocotools' or name in (
            'mmpose.evaluation.metrics.coco_metric',
            'mmpose.visualization.simcc_vis',
        ):
            monkeypatch.delitem(sys.modules, name)
    if find_spec('xtcocotools') is None:
        with pytest.raises(ModuleNotFoundError, match='xtcocotools'):
            importlib.import_module('mmpose.evaluation.metrics.coco_metric')
    if find_spec('torchvision') is None:  # the package is imported already
        with pytest.raises(ModuleNotFoundError, match='torchvision'):
            importlib.import_module('mmpose.visualization.simcc_vis')


def test_metrics_and_visualizers_of_mmpose_can_be_imported():
    from mmpose.evaluation import CocoMetric
    from mmpose.visualization import PoseLocalVisualizer

    assert CocoMetric.__module__.startswith('mmpose.')
    assert PoseLocalVisualizer.__module__.startswith('mmpose.')


@no_torchvision
def test_others_still_find_torchvision_absent():
    assert 'torchvision' not in sys.modules
    assert find_spec('torchvision') is None


@no_torchvision
def test_what_draws_with_torchvision_says_so_when_it_is_used():
    from mmpose.visualization.simcc_vis import SimCCVisualizer

    with pytest.raises(ModuleNotFoundError, match='pip install torchvision'):
        SimCCVisualizer().draw_1d_heatmaps(torch.ones(1, 8))


def keypoint_ap(shift, **kwargs):
    """AP of one person whose 17 keypoints are all ``shift`` pixels off."""
    from xtcocotools.coco import COCO
    from xtcocotools.cocoeval import COCOeval

    truth = [[10.0 * k, 5.0 * k, 2] for k in range(17)]
    found = [[x + shift, y, 1] for x, y, _ in truth]
    coco = COCO()
    coco.dataset = dict(
        info={},
        images=[dict(id=1, width=200, height=100)],
        categories=[dict(id=1, name='person')],
        annotations=[
            dict(
                id=1,
                image_id=1,
                category_id=1,
                iscrowd=0,
                area=10000.0,
                bbox=[0.0, 0.0, 160.0, 80.0],
                num_keypoints=17,
                keypoints=np.ravel(truth).tolist(),
            )
        ],
    )
    with contextlib.redirect_stdout(io.StringIO()):
        coco.createIndex()
        results = coco.loadRes(
            [dict(image_id=1, category_id=1, score=0.9, keypoints=np.ravel(found).tolist())]
        )
        evaluation = COCOeval(coco, results, 'keypoints', **kwargs)
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return evaluation.stats[0]


def test_keypoint_ap_follows_the_distance_and_the_sigmas():
    assert keypoint_ap(0.0) == pytest.approx(1.0)
    # OKS = exp(-d^2 / (2 area (2 sigma)^2)) = exp(-0.5) = 0.607 passes the
    # thresholds 0.5, 0.55 and 0.6 of ten.
    sigmas = np.full(17, 0.05)
    assert keypoint_ap(10.0, sigmas=sigmas) == pytest.approx(0.3)
    assert keypoint_ap(10.0, sigmas=sigmas * 10) == pytest.approx(1.0)


@pytest.mark.skipif(
    find_spec('xtcocotools') is not None
    and getattr(find_spec('xtcocotools'), 'origin', None) is not None,
    reason='xtcocotools is installed',
)
@pytest.mark.parametrize(
    'kwargs', [dict(iouType='keypoints_wholebody'), dict(iouType='keypoints', use_area=False)]
)
def test_evaluation_that_only_xtcocotools_has_says_so(kwargs):
    from xtcocotools.cocoeval import COCOeval

    with pytest.raises(NotImplementedError, match='needs xtcocotools'):
        COCOeval(**kwargs)

# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
import numpy as np
import pytest
from mmengine.structures import InstanceData

pytest.importorskip('mmpose')

from mmpose.structures import PoseDataSample
from mmpose.visualization import PoseLocalVisualizer


@pytest.mark.parametrize('backend', ['opencv', 'matplotlib'])
def test_keypoints_are_drawn_where_they_are(backend):
    visualizer = PoseLocalVisualizer(radius=2, alpha=1, backend=backend)
    visualizer.set_dataset_meta(
        dict(
            keypoint_colors=np.array([[255, 0, 0]]),
            skeleton_links=[],
            skeleton_link_colors=np.empty((0, 3)),
        )
    )
    sample = PoseDataSample(
        pred_instances=InstanceData(
            keypoints=np.array([[[20.0, 10.0]]]), keypoint_scores=np.ones((1, 1))
        )
    )
    drawn = visualizer.add_datasample(
        'x', np.zeros((32, 48, 3), np.uint8), sample, draw_gt=False, draw_bbox=False
    )
    rows, columns = np.nonzero(drawn[..., 0] > 128)
    assert abs(rows.mean() - 10) < 1 and abs(columns.mean() - 20) < 1
    assert 5 <= len(rows) <= 50

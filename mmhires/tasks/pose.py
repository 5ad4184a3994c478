# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Keypoints of persons, of MMPose."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import numpy as np

from mmhires.utils.boxes import check_boxes

from .task import Task, drawn_image

if TYPE_CHECKING:
    from torch import nn

SIZE = 512, 1024


class Pose(Task):
    """Keypoints of the persons in an image, each in a crop."""

    name = 'pose'
    scope = 'mmpose'
    install = 'mmpose'
    units = 'keypoints'
    last_layer = 'final_layer'
    labels = ('gt_fields', 'gt_instance_labels')
    wrapped = 'heatmap_head'
    preprocessor = 'mmhires.LowResPoseDataPreprocessor'
    frame = 'TopdownPoseEstimator'
    distilled = 'mmhires.DistilledPoseEstimator'

    def suits_drawn_images(self, model_cfg: Mapping) -> bool:
        """Return whether a model estimates the pose of one person in a crop."""
        from mmengine.registry import MODELS

        kind = model_cfg.get('type', '')
        if isinstance(kind, str):
            with MODELS.switch_scope_and_registry(None) as registry:
                kind = registry.get(kind)
        return kind is not None and self.frame in {base.__name__ for base in kind.__mro__}

    def draw(self, meta: Mapping, channels: int, size: tuple[int, int]) -> dict:
        """Draw a person that fills a part of an image of 512x1024."""
        keypoints = meta['num_keypoints']
        low, high = np.array([[400, 100], [600, 400]])
        points = np.random.uniform(low, high, (1, keypoints, 2))
        return dict(
            drawn_image(channels, SIZE),
            **meta,
            id=0,
            category_id=1,
            bbox=np.array([[*low, *high]], np.float32),
            bbox_score=np.ones(1, np.float32),
            keypoints=points.astype(np.float32),
            keypoints_visible=np.ones((1, keypoints), np.float32),
            area=np.float32(60000),
            iscrowd=0,
            head_size=np.array([[60.0]], np.float32),
        )

    def codec(self, model: 'nn.Module') -> object | None:
        """Return the decoder of keypoints."""
        return getattr(getattr(model, 'head', None), 'decoder', None)

    def predict(self, model: 'nn.Module', image: str | np.ndarray) -> object:
        """Return the sample of the person who fills the image, with heatmaps."""
        from mmpose.apis import inference_topdown

        test_cfg = model.test_cfg
        model.test_cfg = dict(test_cfg or {}, output_heatmaps=True)
        try:
            return inference_topdown(model, image)[0]
        finally:
            model.test_cfg = test_cfg

    def painter(
        self, model: 'nn.Module', opacity: float | None, with_labels: bool
    ) -> Callable[..., np.ndarray]:
        """Return a function that paints skeletons as MMPose's inferencer does."""
        import mmcv
        from mmpose.apis import inference_topdown
        from mmpose.models import TopdownPoseEstimator
        from mmpose.structures import merge_data_samples
        from mmpose.visualization import PoseLocalVisualizer

        if not isinstance(model, TopdownPoseEstimator):
            return super().painter(model, opacity, with_labels)
        visualizer = PoseLocalVisualizer(alpha=opacity or 1)
        visualizer.set_dataset_meta(model.dataset_meta)

        def paint(image: np.ndarray, boxes: list | None = None) -> np.ndarray:
            boxes = check_boxes(boxes, *image.shape[:2])
            if not len(boxes):  # nobody in the picture
                return image
            samples = merge_data_samples(inference_topdown(model, image, boxes))
            rgb = mmcv.bgr2rgb(image)
            visualizer.add_datasample('', rgb, samples, draw_gt=False, draw_bbox=False)
            return mmcv.rgb2bgr(visualizer.get_image())

        return paint


TASK = Pose()

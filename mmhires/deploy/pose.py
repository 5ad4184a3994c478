# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Pre- and post-processing of a pose model, as plain data."""

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from mmhires.tasks import POSE

from .bins import SimCCLabel
from .crops import Crop, PersonCropper
from .heatmaps import flip_back, make_codec
from .preparation import Preparation
from .processor import Array, Processor, to_array

# An exported file runs without PyTorch and MMPose.
if TYPE_CHECKING:
    from torch import nn


class Keypoints(NamedTuple):
    """Keypoints ``(persons, K, 2)`` in pixels, and scores ``(persons, K)``."""

    keypoints: np.ndarray
    scores: np.ndarray


class PoseProcessor(Processor):
    """From boxes to network inputs, and from outputs to keypoints.

    Args:
        spec: What :meth:`describe` returned.

    Raises:
        ImportError: The codec is a rare one, and MMPose is not there.
        ValueError: The codec is not one of MMPose's.
    """

    neutral = ('LoadImage', 'PackPoseInputs')
    steps = ('GetBBoxCenterScale', 'TopdownAffine')

    def __init__(self, spec: dict) -> None:
        super().__init__(spec)
        self.prepared = Preparation(**spec['preprocessing'], test_cfg=dict(size_divisor=1))
        self.crop = PersonCropper(spec['padding'], **spec['crop'])
        self.codec = make_codec(**spec['codec'])
        bins = isinstance(self.codec, SimCCLabel)
        self.flip_back = self.codec.flip_back if bins else flip_back
        # The network is run on each crop and, for the flip test, its mirror.
        self.views = 1 if spec['flip'] is None else 2

    @staticmethod
    def preprocessors() -> tuple[type, ...]:
        """Return the data preprocessors that exported files support."""
        from mmpose.models import PoseDataPreprocessor

        from mmhires.models.pose import LowResPoseDataPreprocessor

        return PoseDataPreprocessor, LowResPoseDataPreprocessor

    @classmethod
    def describe(cls, model: 'nn.Module') -> dict:
        """Describe everything about a model but its network.

        Args:
            model: Top-down pose estimator with ``cfg`` and ``dataset_meta``, as
                :func:`mmpose.apis.init_model` returns it.

        Returns:
            Numbers, strings, lists and dicts.

        Raises:
            ValueError: The model tests in a way that cannot be exported.
        """
        pipeline = cls.read_pipeline(model.cfg.test_dataloader.dataset.pipeline)
        head = POSE.plain_head(model.cfg.model)
        if 'TopdownAffine' not in pipeline or not head.get('decoder'):
            raise ValueError(
                'only top-down pose estimators of heatmaps or SimCC, with TopdownAffine and a '
                'decoder, can be exported'
            )
        meta, test_cfg = model.dataset_meta, model.test_cfg
        flip = dict(flip_indices=list(map(int, meta['flip_indices'])))
        flip['flip_mode'] = test_cfg.get('flip_mode', 'heatmap')
        flip['shift_heatmap'] = test_cfg.get('shift_heatmap', False)
        return dict(
            task='pose',
            loading=pipeline['loading'],
            classes=list(meta['keypoint_id2name'].values()),
            palette=np.asarray(meta['keypoint_colors']).astype(int).tolist(),
            preprocessing=cls.read_preprocessor(model.data_preprocessor, 'size_divisor'),
            padding=pipeline.get('GetBBoxCenterScale', {}).get('padding', 1.25),
            crop=pipeline['TopdownAffine'],
            codec=dict(head.decoder),
            flip=flip if test_cfg.get('flip_test') else None,
            skeleton=[list(map(int, link)) for link in meta['skeleton_links']],
            skeleton_palette=np.asarray(meta['skeleton_link_colors']).astype(int).tolist(),
        )

    def prepare(
        self, image: np.ndarray, boxes: np.ndarray, device: str
    ) -> tuple[list[Array], list[Crop]]:
        """Crop, normalise and reduce persons.

        Args:
            image: BGR ``(H, W, 3)``, uint8.
            boxes: ``(persons, 4)``, from :func:`check_boxes`.
            device: Unused: images are prepared on the CPU.

        Returns:
            ``(1, 3, h, w)`` of each view, and for each person where it was.
        """
        tensors, crops = [], []
        for box in boxes:
            crop = self.crop(image, box)
            inputs, _ = self.prepared(crop.image)
            tensors += [inputs, inputs[..., ::-1]][: self.views]
            crops.append(crop)
        return tensors, crops

    def finish(self, outputs: list[Array], crops: list[Crop]) -> Keypoints:
        """Return keypoints of all persons, possibly none, in pixels of the image.

        Args:
            outputs: Heatmaps or bins of each view.
            crops: From :meth:`prepare`.

        Returns:
            Keypoints: In the order of the boxes.
        """
        count = len(self.spec['classes'])
        nobody = np.empty((0, count, 2), np.float32)
        persons = [(nobody, nobody[..., 0])]
        for i, crop in enumerate(crops):
            heatmaps, *mirrored = map(to_array, outputs[self.views * i : self.views * (i + 1)])
            for other in mirrored:
                heatmaps = np.float32(0.5) * (heatmaps + self.flip_back(other, **self.spec['flip']))
            keypoints, scores = self.codec.decode(heatmaps[0])
            keypoints = keypoints / np.float32(self.crop.input_size) - 0.5
            keypoints = keypoints * crop.scale + crop.center
            persons.append((keypoints, scores))
        return Keypoints(*map(np.concatenate, zip(*persons)))

# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""What lies before and after the network of a pose model, as plain data."""
from typing import NamedTuple

import mmpose.codecs
import numpy as np
import torch
from mmpose.datasets.transforms import TopdownAffine
from mmpose.models import PoseDataPreprocessor
from mmpose.models.utils.tta import flip_heatmaps
from mmpose.structures.bbox import bbox_xyxy2cs
from torch import Tensor, nn

from mmhires.models.pose import LowResPoseDataPreprocessor

_NEUTRAL = ('LoadImage', 'PackPoseInputs')


class Keypoints(NamedTuple):
    """Keypoints ``(persons, K, 2)`` in pixels, and scores ``(persons, K)``."""
    keypoints: np.ndarray
    scores: np.ndarray


class PoseTask:
    """From a box to the network's input, and from heatmaps to keypoints.

    Args:
        spec (dict): What :meth:`describe` returned.

    Raises:
        ValueError: The codec is not one of MMPose's.
    """
    name = 'pose'

    def __init__(self, spec: dict) -> None:
        self.spec = spec
        self.preprocessor = LowResPoseDataPreprocessor(**spec['preprocessing'])
        self.crop = TopdownAffine(**spec['crop'])
        codec = dict(spec['codec'])
        name = codec.pop('type')
        if name not in mmpose.codecs.__all__:
            raise ValueError(f'unknown codec {name!r}')
        self.codec = getattr(mmpose.codecs, name)(**codec)

    @staticmethod
    def describe(model: nn.Module) -> dict:
        """All that is known of a model but its network.

        Args:
            model (nn.Module): Top-down pose estimator with ``cfg`` and
                ``dataset_meta``, as :func:`mmpose.apis.init_model` returns it.

        Returns:
            dict: Numbers, strings, lists and dicts.

        Raises:
            ValueError: The model tests in a way that cannot be exported.
        """
        padding, crop = 1.25, None
        for step in model.cfg.test_dataloader.dataset.pipeline:
            step = dict(step)
            kind = step.pop('type')
            if kind == 'GetBBoxCenterScale':
                padding = step.get('padding', padding)
            elif kind == 'TopdownAffine':
                crop = step
            elif kind not in _NEUTRAL:
                raise ValueError(f'the test pipeline has a step {kind}, which '
                                 'cannot be exported')
        head = model.cfg.model.head
        head = head.get('heatmap_head', head)
        if crop is None or not head.get('decoder'):
            raise ValueError('only top-down pose estimators of heatmaps, with '
                             'TopdownAffine and a decoder, can be exported')
        test_cfg = model.test_cfg
        return dict(
            classes=list(model.dataset_meta['keypoint_id2name'].values()),
            palette=np.asarray(
                model.dataset_meta['keypoint_colors']).astype(int).tolist(),
            preprocessing=_preprocessing(model.data_preprocessor),
            padding=padding,
            crop=crop,
            codec=dict(head.decoder),
            flip=dict(
                flip_indices=list(
                    map(int, model.dataset_meta['flip_indices'])),
                flip_mode=test_cfg.get('flip_mode', 'heatmap'),
                shift_heatmap=test_cfg.get('shift_heatmap', False))
            if test_cfg.get('flip_test') else None)

    def prepare(self, image: np.ndarray, box: np.ndarray,
                device: str) -> tuple[Tensor, dict]:
        """Cut out, normalise and reduce a person.

        Args:
            image (np.ndarray): BGR ``(H, W, 3)``, uint8.
            box (np.ndarray): x1, y1, x2, y2.
            device (str): Where to compute.

        Returns:
            tuple[Tensor, dict]: ``(1, 3, h, w)`` and the meta information that
            :meth:`finish` needs.

        Raises:
            ValueError: The box has no area.
        """
        x1, y1, x2, y2 = box
        if not (x2 > x1 and y2 > y1):
            raise ValueError(f'the box {box.tolist()} has no area; give x1, '
                             'y1, x2, y2 with x2 > x1 and y2 > y1')
        center, scale = bbox_xyxy2cs(box[None], padding=self.spec['padding'])
        crop = self.crop(dict(img=image, bbox_center=center, bbox_scale=scale))
        meta = {
            name: np.asarray(crop[name], np.float32)
            for name in ('input_size', 'input_center', 'input_scale')
        }
        tensor = torch.from_numpy(
            np.ascontiguousarray(crop['img'].transpose(2, 0, 1))).to(device)
        with torch.no_grad():
            data = self.preprocessor.to(device)(
                dict(inputs=[tensor], data_samples=[]))
        return data['inputs'], meta

    def views(self, inputs: Tensor) -> list[Tensor]:
        """What the network is run on: the crop, and its mirror image."""
        return [inputs] if self.spec['flip'] is None else [
            inputs, inputs.flip(-1)
        ]

    def finish(self, heatmaps: list[Tensor], meta: dict) -> Keypoints:
        """Keypoints in the pixels of the image.

        Args:
            heatmaps (list[Tensor]): Of each of :meth:`views`.
            meta (dict): From :meth:`prepare`.

        Returns:
            Keypoints: Of one person.
        """
        mean = heatmaps[0]
        if self.spec['flip'] is not None:
            mean = 0.5 * (
                mean + flip_heatmaps(heatmaps[1], **self.spec['flip']))
        keypoints, scores = self.codec.decode(mean[0].cpu().numpy())
        return Keypoints(
            keypoints / meta['input_size'] * meta['input_scale'] +
            meta['input_center'] - 0.5 * meta['input_scale'], scores)

    def join(self, persons: list[Keypoints]) -> Keypoints:
        """Keypoints of all persons of an image, who may be none."""
        count = len(self.spec['classes'])
        none = Keypoints(
            np.empty((0, count, 2), np.float32),
            np.empty((0, count), np.float32))
        return Keypoints(*map(np.concatenate, zip(none, *persons)))


def _preprocessing(source: nn.Module) -> dict:
    """Arguments of a LowResPoseDataPreprocessor that tests as this one."""
    if type(source) not in (PoseDataPreprocessor, LowResPoseDataPreprocessor):
        raise ValueError('the data preprocessor must be PoseDataPreprocessor '
                         'or mmhires.LowResPoseDataPreprocessor, got '
                         f'{type(source).__name__}')
    spec = dict(
        scale=getattr(source, 'scale', 1),
        interpolation=getattr(source, 'interpolation', 'bilinear'),
        bgr_to_rgb=source._channel_conversion)
    for name in ('mean', 'std'):
        spec[name] = getattr(source, name).flatten().tolist() \
            if source._enable_normalize else None
    return spec

# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Any top-down heatmap model as the student of a full-size teacher."""
from typing import Any

from mmpose.models import TopdownPoseEstimator
from mmpose.utils.typing import SampleList
from torch import Tensor, nn

from mmhires.models.distillation import Distillation
from mmhires.models.recording import head_of, is_map, replaced
from mmhires.registry import MODELS


@MODELS.register_module()
class DistilledPoseEstimator(Distillation, TopdownPoseEstimator):
    """``TopdownPoseEstimator`` that learns from a frozen teacher, too.

    The student sees the crop as small as its data preprocessor makes it, the
    teacher sees it at full size. See :class:`DistilledSegmentor`; what is
    ``'logits'`` there are heatmaps here.

    Args:
        *args: Of ``TopdownPoseEstimator``.
        teacher (dict | str): Config of a pose estimator with heatmaps, or a
            config file whose ``model`` it is. Its data preprocessor has to
            normalise as the student's.
        teacher_ckpt (str, optional): File or address of its weights. None
            leaves them to the ``init_cfg`` of ``teacher``. Default: None.
        distill_losses (Sequence[dict]): As of :class:`DistilledSegmentor`.
            Default: one :class:`FeatureL2Loss` of the heatmaps, the mean over
            the keypoints.
        **kwargs: Of ``TopdownPoseEstimator``; ``data_preprocessor`` must leave
            ``gt_img``, as :class:`LowResPoseDataPreprocessor` does.

    Raises:
        ValueError: An unknown ``on``.
    """

    preprocessor = 'mmhires.LowResPoseDataPreprocessor'
    default_loss = dict(type='mmhires.FeatureL2Loss', reduction='mean')

    def teacher_logits(self, images: Tensor, data_samples: SampleList,
                       size: tuple) -> Tensor:
        """Heatmaps of the teacher.

        Args:
            images (Tensor): Normalised crops, ``(N, C, H, W)``.
            data_samples (list[:obj:`PoseDataSample`]): Data samples.
            size (tuple[int]): Unused: heatmaps are smaller than crops.

        Returns:
            Tensor: ``(N, out_channels, h, w)``.

        Raises:
            ValueError: The head has no heatmaps.
        """
        feats = self.teacher.extract_feat(images)
        return self._decoded(self.teacher, feats, data_samples)

    def predicted(self, args: tuple, output: Any,
                  data_samples: SampleList) -> Tensor:
        """Heatmaps that the head would decode, from a pass of training.

        Args:
            args (tuple): What its ``forward`` was given.
            output (Any): What its ``forward`` returned.
            data_samples (list[:obj:`PoseDataSample`]): Data samples.

        Returns:
            Tensor: ``(N, out_channels, h, w)``.

        Raises:
            ValueError: The head has no heatmaps.
        """
        with replaced(head_of(self), forward=lambda *args, **kwargs: output):
            return self._decoded(self, args[0], data_samples)

    def _decoded(self, model: nn.Module, feats: tuple,
                 data_samples: SampleList) -> Tensor:
        """What the head of a model gives to its codec."""
        head, given = head_of(model), []

        def keep(batch: Any, *args, **kwargs) -> list:
            given.append(batch)
            return []

        with replaced(head, decode=keep):
            head.predict(feats, data_samples, {})
        if len(given) != 1 or not is_map(given[0]):
            whose = 'student' if model is self else 'teacher'
            raise ValueError(
                f"{self._name}: on='logits' compares heatmaps, and "
                f'{type(head).__name__} of the {whose} predicts none '
                '(keypoints as coordinates or as a pair of distributions, '
                "SimCC); use on='features' or the index of a map")
        return given[0]

    def label_of(self, data_samples: SampleList) -> dict:
        """Nothing: losses of labels are of segmentation."""
        return {}

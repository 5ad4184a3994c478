# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Any top-down heatmap model as the student of a full-size teacher."""
from mmpose.models import TopdownPoseEstimator
from mmpose.utils.typing import SampleList
from torch import Tensor

from mmhires.models.distillation import Distillation
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

    def teacher_logits(self, images: Tensor, size: tuple) -> Tensor:
        """Heatmaps of the teacher.

        Args:
            images (Tensor): Normalised crops, ``(N, C, H, W)``.
            size (tuple[int]): Unused: heatmaps are smaller than crops.

        Returns:
            Tensor: ``(N, out_channels, h, w)``.
        """
        return self.teacher.head(self.teacher.extract_feat(images))

    def label_of(self, data_samples: SampleList) -> dict:
        """Nothing: losses of labels are of segmentation."""
        return {}

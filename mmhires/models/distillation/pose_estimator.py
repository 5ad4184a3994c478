# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Any top-down pose estimator as the student of a full-size teacher."""

from typing import Any

import torch
import torch.nn.functional as F
from mmpose.models import TopdownPoseEstimator
from mmpose.models.heads import IntegralRegressionHead, RegressionHead, RLEHead
from mmpose.utils.typing import SampleList
from torch import Tensor, nn

from mmhires.models.recording import head_of, is_map, replaced
from mmhires.registry import MODELS

from .distillation import Distillation
from .places import LOGITS

# Heads of coordinates, which have no spread to teach.
REGRESSION = (RegressionHead, IntegralRegressionHead, RLEHead)
# Logit of bins that the shorter axis lacks: no probability, but finite.
_ABSENT = -1e4


@MODELS.register_module()
class DistilledPoseEstimator(Distillation, TopdownPoseEstimator):
    """``TopdownPoseEstimator`` that also learns from a frozen teacher.

    The student sees the crop as small as its data preprocessor makes it, the teacher sees it at
    full size. See :class:`DistilledSegmentor`; what is ``'logits'`` there are heatmaps here or, of
    SimCC and RTMPose, the logits of the bins of x and y, which are those of the full-size crop in
    both.

    Bins are compared as a map ``(N, bins, K, 2)``, whose "classes" are bins and whose "pixels" are
    the x and the y of each keypoint, weighted by its visibility. The logits are times the ``beta``
    of the head's own loss, so that their softmax is the distribution that the head was trained for.

    Args:
        *args: Of ``TopdownPoseEstimator``.
        teacher: Config of a pose estimator with the same kind of head, or a config file whose
            ``model`` it is. Its data preprocessor has to normalise as the student's.
        teacher_ckpt: File or address of its weights. None leaves them to the ``init_cfg`` of
            ``teacher``. Default: None.
        distill_losses: As of :class:`DistilledSegmentor`. Default: of heatmaps one
            :class:`FeatureL2Loss`, the mean over the keypoints, of bins one
            :class:`LogitDistillLoss`.
        **kwargs: Of ``TopdownPoseEstimator``; ``data_preprocessor`` must leave ``gt_img``, as
            :class:`LowResPoseDataPreprocessor` does.

    Raises:
        ValueError: An unknown ``on``.
    """

    def default_loss(self) -> dict:
        """Return the config of the loss that fits the student's head."""
        if hasattr(head_of(self), 'simcc_split_ratio'):
            return dict(type='mmhires.LogitDistillLoss')
        return dict(type='mmhires.FeatureL2Loss', reduction='mean')

    def teacher_logits(
        self, teacher: nn.Module, images: Tensor, data_samples: SampleList
    ) -> Tensor:
        """Return heatmaps or bins of the teacher.

        Raises:
            ValueError: Its head has neither.
        """
        return self._decoded(teacher, teacher.extract_feat(images), data_samples)

    def predicted(self, args: tuple, output: Any, data_samples: SampleList) -> Tensor:
        """Return what the student's head would decode.

        Returns:
            Heatmaps ``(N, out_channels, h, w)``, or logits of bins ``(N, bins, K, 2)``.

        Raises:
            ValueError: The head has neither.
        """
        with replaced(head_of(self), forward=lambda *args, **kwargs: output):
            return self._decoded(self, args[0], data_samples)

    def _decoded(self, model: nn.Module, feats: tuple, data_samples: SampleList) -> Tensor:
        """Return what a model's head passes to its codec."""
        head, given = head_of(model), []

        def keep(batch: Any, *args, **kwargs) -> list:
            given.append(batch)
            return []

        with replaced(head, decode=keep):
            head.predict(feats, data_samples, {})
        if len(given) == 1 and hasattr(head, 'simcc_split_ratio'):
            return _bins(given[0], getattr(head.loss_module, 'beta', 1.0))
        if len(given) != 1 or not is_map(given[0]) or isinstance(head, REGRESSION):
            whose = 'student' if model is self else 'teacher'
            raise ValueError(
                f"{self._name}: on='logits' compares heatmaps or the bins of "
                f'SimCC, and {type(head).__name__} of the {whose} predicts '
                "neither; use on='features' or the index of a map"
            )
        return given[0]

    def _check_teacher(self, teacher: nn.Module) -> None:
        super()._check_teacher(teacher)
        if (LOGITS, LOGITS) not in self._on:
            return
        mine, wanted = (head_of(model) for model in (self, teacher))
        given, asked = _language(mine), _language(wanted, self.teacher_scale)
        for key in given.keys() & asked.keys():
            if given[key] != asked[key]:
                raise ValueError(
                    f'{self._name}: {key} of the student is {given[key]} ({type(mine).__name__}), '
                    f"the teacher's {type(wanted).__name__} asks for {asked[key]}; a loss on "
                    'logits needs the same keypoints, codec and bins of the full-size crop'
                )

    def label_of(self, data_samples: SampleList, taught: dict) -> dict:
        """Return the visibility of the keypoints as ``weight`` ``(N, K, 2)`` of bins."""
        if not hasattr(head_of(self), 'simcc_split_ratio'):
            return {}
        weight = torch.cat([sample.gt_instance_labels.keypoint_weights for sample in data_samples])
        return dict(weight=weight[..., None].expand(-1, -1, 2))

    def label_at(self, label: dict, on: int | str) -> dict:
        """Return the visibility for losses of logits only."""
        return label if on == LOGITS else {}


def _bins(pair: tuple[Tensor, Tensor], beta: float) -> Tensor:
    """Join logits of x ``(N, K, W)`` and y ``(N, K, H)`` in one map."""
    count = max(logits.shape[-1] for logits in pair)
    return torch.stack(
        [F.pad(beta * logits, (0, count - logits.shape[-1]), value=_ABSENT) for logits in pair], -1
    ).transpose(1, 2)


def _language(head: nn.Module, enlarged: float = 1.0) -> dict:
    """Return the meaning of a head's predictions by the keys of its config.

    Args:
        head: The head.
        enlarged: How many times as large as the student's crop its crop is.

    Returns:
        What a head on the student's crop has in common with it.
    """
    meaning = dict(simcc_split_ratio=None)
    if hasattr(head, 'simcc_split_ratio'):
        meaning.update(simcc_split_ratio=enlarged * head.simcc_split_ratio)
    decoder = getattr(head, 'decoder', None)
    if decoder is not None:
        meaning['decoder.type'] = type(decoder).__name__
        meaning['decoder.input_size'] = tuple(side / enlarged for side in decoder.input_size)
    return meaning

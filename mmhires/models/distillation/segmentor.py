# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Any segmentor as the student of a full-size teacher."""

from collections.abc import Sequence
from typing import Any

import torch
from mmseg.models.decode_heads import DDRHead, IterativeDecodeHead, PIDHead
from mmseg.models.segmentors import EncoderDecoder
from mmseg.utils import SampleList
from torch import Tensor, nn

from mmhires.models.padding import image_pixels
from mmhires.models.recording import head_of, is_map, replaced
from mmhires.models.unlabelled import is_unlabelled, labels_of
from mmhires.registry import MODELS

from .distillation import Distillation
from .places import LOGITS


@MODELS.register_module()
class DistilledSegmentor(Distillation, EncoderDecoder):
    """``EncoderDecoder`` that also learns from a frozen full-size teacher.

    The student is any backbone, neck and decode head, :class:`DSRLHead` or a plain one, and sees
    the image as small as its data preprocessor makes it; the teacher sees the same crop at full
    size. Which of their tensors are compared, and how, is a list of losses:

    .. code:: python

        model = dict(
            type='mmhires.DistilledSegmentor',
            teacher='full_size.py',
            teacher_ckpt='full_size.pth',
            distill_losses=[dict(type='mmhires.LogitDistillLoss')])

    Testing, checkpoints and deployment are those of the student alone.

    Args:
        *args: Of ``EncoderDecoder``.
        teacher: Config of a segmentor, or a config file whose ``model`` it is. Its data
            preprocessor has to normalise as the student's.
        teacher_ckpt: File or address of its weights. None leaves them to the ``init_cfg`` of
            ``teacher``. Default: None.
        distill_losses: Of :class:`LogitDistillLoss`, :class:`ChannelWiseDistillLoss`,
            :class:`FALoss`, :class:`FeatureL2Loss` or any loss of (student, teacher). The key
            ``on`` says of what: ``'logits'`` (the default; at the size of the labels),
            ``'features'`` (the input of the classifier), the index of a map, or a pair of these for
            student and teacher. A smaller map of the student is first resized to the teacher's.
            Default: one :class:`LogitDistillLoss`.
        teacher_scale: Enlarges the images that the teacher reads. Default: 1.0.
        **kwargs: Of ``EncoderDecoder``; ``data_preprocessor`` must leave ``gt_img``, as
            :class:`LowResSegDataPreProcessor` does.

    Raises:
        TypeError: A cascade of decode heads.
        ValueError: An unknown ``on``.
    """

    def __init__(self, *args, **kwargs) -> None:
        if 'num_stages' in kwargs or not isinstance(kwargs.get('decode_head', {}), dict):
            raise TypeError(
                f'{self._name}: a cascade of decode heads (num_stages) cannot '
                'be the student; give one decode_head'
            )
        super().__init__(*args, **kwargs)

    def default_loss(self) -> dict:
        """Return the config of the loss of class probabilities."""
        return dict(type='mmhires.LogitDistillLoss')

    def teacher_logits(
        self, teacher: nn.Module, images: Tensor, data_samples: SampleList
    ) -> Tensor:
        """Return logits of the teacher at full size, ``(N, num_classes, H, W)``."""
        size = tuple(data_samples[0].gt_img.shape)
        # A torch.Size would say that a window of a sliding test is meant.
        return teacher.encode_decode(images, [dict(img_shape=size)] * len(images))

    def predicted(self, args: tuple, output: Any, data_samples: SampleList) -> Tensor:
        """Return logits of the student at full size, ``(N, num_classes, H, W)``.

        Raises:
            ValueError: They cannot be told from ``output``.
        """
        head = head_of(self)
        output = _without_auxiliary(head, output)
        metas = [dict(img_shape=tuple(sample.gt_img.shape)) for sample in data_samples]
        by_feat = getattr(head, 'predict_by_feat', None)

        def resize(seg_logits: Tensor, *args, **kwargs) -> Tensor:
            if not is_map(seg_logits):
                raise ValueError(
                    f"{self._name}: on='logits', but forward() of {type(head).__name__} returns "
                    f'{_kinds(seg_logits)} in training, and its predict() does not say which of '
                    'them it would take; have predict() choose, or use the index of a map'
                )
            return by_feat(seg_logits, *args, **kwargs)

        methods = dict(forward=lambda *args, **kwargs: output)
        if by_feat is not None:
            methods['predict_by_feat'] = resize
        with replaced(head, **methods):
            return head.predict(args[0], metas, self.test_cfg)

    def run_head(self, maps: Sequence[Tensor], data_samples: SampleList) -> dict:
        """Run the head as its losses do, for images without labels.

        Args:
            maps: What it reads.
            data_samples: Data samples.

        Returns:
            No losses.
        """
        # predict() knows what forward() takes. What it would make of the
        # output, which training may have more of, is of no use here.
        with replaced(head_of(self), predict_by_feat=lambda output, *args: output):
            self.decode_head.predict(maps, [x.metainfo for x in data_samples], self.test_cfg)
        return {}

    def label_of(self, data_samples: SampleList, taught: dict | None = None) -> dict:
        """Return ``label`` ``(N, H, W)``, ``ignore_index`` and ``inside`` for pixel losses."""
        if is_unlabelled(data_samples[0]):
            label = labels_of(taught[LOGITS])
        else:  # not by the head, which need not be a BaseDecodeHead
            label = torch.cat([x.gt_sem_seg.data for x in data_samples])
        return dict(
            label=label,
            ignore_index=self.decode_head.ignore_index,
            inside=image_pixels(data_samples),
        )


# Heads of MMSegmentation whose forward() returns more in training than in
# evaluation, without a predict() that chooses: which of it they predict.
_PREDICTED = {PIDHead: 1, DDRHead: 0, IterativeDecodeHead: -1}


def _without_auxiliary(head: nn.Module, output: Any) -> Any:
    """Return the inference output of a training forward pass."""
    if isinstance(output, (tuple, list)):
        for kind, index in _PREDICTED.items():
            if type(head).forward is kind.forward:
                return output[index]
    return output


def _kinds(output: Any) -> str:
    if isinstance(output, (tuple, list)):
        return f'a {type(output).__name__} of {len(output)}'
    return str(tuple(output.shape)) if isinstance(output, Tensor) else str(type(output))

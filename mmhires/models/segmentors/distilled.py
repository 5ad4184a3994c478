# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Any segmentor as the student of a full-size teacher."""
import torch
from mmseg.models.segmentors import EncoderDecoder
from mmseg.utils import SampleList
from torch import Tensor

from mmhires.models.distillation import Distillation
from mmhires.registry import MODELS


@MODELS.register_module()
class DistilledSegmentor(Distillation, EncoderDecoder):
    """``EncoderDecoder`` that learns from a frozen full-size teacher, too.

    The student is any backbone, neck and decode head, :class:`DSRLHead` or a
    plain one, and sees the image as small as its data preprocessor makes it;
    the teacher sees the same crop at full size. Which of their tensors are
    compared, and how, is a list of losses:

    .. code:: python

        model = dict(
            type='mmhires.DistilledSegmentor',
            teacher='full_size.py',
            teacher_ckpt='full_size.pth',
            distill_losses=[dict(type='mmhires.LogitDistillLoss')])

    Testing, checkpoints and deployment are those of the student alone.

    Args:
        *args: Of ``EncoderDecoder``.
        teacher (dict | str): Config of a segmentor, or a config file whose
            ``model`` it is. Its data preprocessor has to normalise as the
            student's.
        teacher_ckpt (str, optional): File or address of its weights. None
            leaves them to the ``init_cfg`` of ``teacher``. Default: None.
        distill_losses (Sequence[dict]): Of :class:`LogitDistillLoss`,
            :class:`ChannelWiseDistillLoss`, :class:`FALoss`,
            :class:`FeatureL2Loss` or any loss of (student, teacher). The key
            ``on`` says of what: ``'logits'`` (the default; at the size of the
            labels), ``'features'`` (the input of the classifier), the index of
            a map, or a pair of these for student and teacher. A smaller map of
            the student is first resized to the teacher's. Default: one
            :class:`LogitDistillLoss`.
        teacher_scale (float): Enlarges the images that the teacher reads.
            Default: 1.0.
        **kwargs: Of ``EncoderDecoder``; ``data_preprocessor`` must leave
            ``gt_img``, as :class:`LowResSegDataPreProcessor` does.

    Raises:
        ValueError: An unknown ``on``.
    """

    preprocessor = 'mmhires.LowResSegDataPreProcessor'
    default_loss = dict(type='mmhires.LogitDistillLoss')

    def teacher_logits(self, images: Tensor, size: tuple) -> Tensor:
        """Logits of the teacher at full size.

        Args:
            images (Tensor): Normalised, enlarged by ``teacher_scale``.
            size (tuple[int]): Full size ``(H, W)``.

        Returns:
            Tensor: ``(N, num_classes, H, W)``.
        """
        # A torch.Size would say that a window of a sliding test is meant.
        return self.teacher.encode_decode(images,
                                          [dict(img_shape=size)] * len(images))

    def label_of(self, data_samples: SampleList) -> dict:
        """Labels in the form that losses of pixels take them.

        Args:
            data_samples (list[:obj:`SegDataSample`]): With ``gt_sem_seg``.

        Returns:
            dict: ``label`` ``(N, H, W)`` and ``ignore_index``.
        """
        # Not by the head, which need not be a BaseDecodeHead.
        label = torch.cat([sample.gt_sem_seg.data for sample in data_samples])
        return dict(label=label, ignore_index=self.decode_head.ignore_index)

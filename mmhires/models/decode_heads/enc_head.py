# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""EncNet's head at the cost that FastFCN reports."""

from mmcv.cnn import ConvModule
from mmseg.models.decode_heads import EncHead as UpstreamEncHead
from mmseg.models.decode_heads.decode_head import BaseDecodeHead
from mmseg.utils import SampleList
from torch import Tensor

from mmhires.models.layers.encoding import Encoding
from mmhires.registry import MODELS


@MODELS.register_module()
class EncHead(UpstreamEncHead):
    """Context encoding: global statistics gate the channels.

    `Context Encoding for Semantic Segmentation <https://arxiv.org/abs/1803.08904>`_. Upstream's
    head, whose weights it loads, with a bottleneck of any kernel, an Encoding layer of a fraction
    of the memory, and a semantic-encoding (SE) loss that can be switched off.

    Args:
        bottleneck_kernel_size: Of the convolution from the input to ``channels``, odd. `FastFCN
            <https://arxiv.org/abs/1903.11816>`_ takes 1 after JPU: its map comes from convolutions
            that have seen the neighbourhood. Default: 3, as upstream.
        **kwargs: Of :class:`mmseg.models.EncHead`: ``num_codes``, the number of code words
            (default: 32), ``use_se_loss``, whether to predict the classes that are present as well,
            with the loss ``loss_se`` (default: True), ``add_lateral``, ``loss_se_decode`` and all
            of ``BaseDecodeHead``; ``in_channels`` and ``in_index`` are sequences.

    Raises:
        ValueError: ``bottleneck_kernel_size`` is not odd.
    """

    def __init__(self, bottleneck_kernel_size: int = 3, **kwargs) -> None:
        if bottleneck_kernel_size % 2 == 0:
            raise ValueError(
                f'EncHead: bottleneck_kernel_size must be odd, got {bottleneck_kernel_size}'
            )
        super().__init__(**kwargs)
        self.bottleneck = ConvModule(
            self.in_channels[-1],
            self.channels,
            bottleneck_kernel_size,
            padding=bottleneck_kernel_size // 2,
            conv_cfg=self.conv_cfg,
            norm_cfg=self.norm_cfg,
            act_cfg=self.act_cfg,
        )
        self.enc_module.encoding[0] = Encoding(self.channels, self.num_codes)

    @staticmethod
    def _convert_to_onehot_labels(seg_label: Tensor, num_classes: int) -> Tensor:
        """Return which classes occur, without a loop and ``histc``.

        The latter raises on a GPU under ``randomness=dict( deterministic=True)``.
        """
        label = seg_label.flatten(1).long()
        valid = (label >= 0) & (label < num_classes)
        present = label.new_zeros(len(label), num_classes + 1)
        return present.scatter_(1, label.where(valid, num_classes), 1)[:, :num_classes]

    def loss_by_feat(
        self, seg_logit: tuple[Tensor, Tensor] | Tensor, batch_data_samples: SampleList
    ) -> dict:
        """Compute the segmentation losses and, with ``use_se_loss``, that of SE.

        Args:
            seg_logit: What :meth:`forward` returned: logits ``(N, num_classes, H, W)``, with SE
                logits ``(N, num_classes)`` if there are any.
            batch_data_samples: With ``gt_sem_seg``.

        Returns:
            Losses, ``loss_se`` among them, and ``acc_seg``.
        """
        if self.use_se_loss:
            return super().loss_by_feat(seg_logit, batch_data_samples)
        # Upstream unpacks a pair that there is not.
        return BaseDecodeHead.loss_by_feat(self, seg_logit, batch_data_samples)

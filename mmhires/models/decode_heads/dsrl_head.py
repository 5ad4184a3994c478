# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Dual super-resolution learning around any decode head of MMSegmentation."""

import copy

import torch
from mmseg.models.decode_heads.decode_head import BaseDecodeHead
from mmseg.utils import ConfigType, SampleList
from torch import Tensor

from mmhires.models.layers.upsample import DeconvUpsample, LogitUpsample, SubpixelUpsample
from mmhires.models.super_resolution import DualSuperResolution, build_inner_head
from mmhires.registry import MODELS
from mmhires.tasks import SEGMENTATION
from mmhires.utils.ratio import as_ratio, enlarged_side


@MODELS.register_module()
class DSRLHead(DualSuperResolution, BaseDecodeHead):
    """Decode head that predicts at ``scale`` times the network's input size.

    `Dual Super-Resolution Learning for Semantic Segmentation
    <https://openaccess.thecvf.com/content_CVPR_2020/html/Wang_Dual_Super-Resolution_Learning_for_Semantic_Segmentation_CVPR_2020_paper.html>`_,
    section 3.2. The classifier of ``seg_head`` is taken off; deconvolutions enlarge its features
    (SSSR) and the classifier follows at that resolution. In the authors' released code the
    classifier stays where it was and class maps are enlarged, ``sssr='logits'``. In training a
    super-resolution branch (SISR) rebuilds the full-size image and the feature-affinity loss (FA)
    makes the segmentation features follow its structure. In evaluation neither runs, and
    :meth:`switch_to_deploy` removes their weights.

    The objective is equation 3: the losses of ``seg_head`` on full-size labels, ``loss_mse``
    weighted by ``sisr_head.loss_weight`` (w1) and ``loss_fa`` weighted by ``loss_fa.loss_weight``
    (w2). Without ``loss_fa``, and without ``sisr_head`` as well, it is the rows "+ SSSR + SISR" and
    "+ SSSR" of the paper's Table 1. The data preprocessor must be
    :class:`LowResSegDataPreProcessor` of the same ``scale``.

    A checkpoint of the model without DSRL loads into it: keys of the plain head are read as those
    of ``seg_head``.

    Args:
        seg_head: Config of any decode head that ends in ``cls_seg(features)`` and computes its
            losses as ``BaseDecodeHead`` does, for instance of FCN, PSPNet, DeepLabV3, DeepLabV3+,
            UPerNet, SegFormer, Fast-SCNN.
        scale: Label size : network input, above 1. What doubles, as all but ``'subpixel'`` does, is
            resized at last if it is not a power of two. Default: 2.
        sssr: What enlarges what. ``'features'``: deconvolutions, norm and activation, as the paper
            describes it, with a new classifier behind them. ``'logits'``: deconvolutions of class
            maps, as the authors released it. ``'subpixel'``: class maps are resized and a 1x1
            sub-pixel convolution of the features adds to them, which costs next to nothing. The
            last two keep the classifier and start as the network that they wrap, so that a trained
            one loses nothing. Default: ``'features'``.
        sssr_channels: Width of the deconvolutions of features, which the paper leaves open.
            Default: 32.
        sssr_scale: By how much SSSR enlarges. Default: None, ``scale``.
        sisr_head: Config of :class:`SISRHead`; ``scale``, ``norm_cfg`` and ``align_corners`` are
            taken from here unless it names them. Default: None.
        loss_fa: Config of :class:`FALoss`; needs ``sisr_head``. Default: None.
        **kwargs: ``init_cfg`` of the classifier, as of ``BaseDecodeHead``.

    Raises:
        TypeError: ``seg_head`` is a cascade or exposes no features.
        ValueError: ``loss_fa`` without ``sisr_head``, a ``scale`` that is not above 1 or not that
            of ``sisr_head``, or an unknown ``sssr``.
    """

    def __init__(
        self,
        seg_head: ConfigType,
        scale: float = 2,
        sssr: str = 'features',
        sssr_channels: int = 32,
        sssr_scale: float | None = None,
        sisr_head: ConfigType | None = None,
        loss_fa: ConfigType | None = None,
        **kwargs,
    ) -> None:
        if not isinstance(seg_head, dict):
            raise TypeError(
                'DSRLHead: seg_head must be the config of one decode head, '
                f'got {type(seg_head).__name__}; a cascade cannot be wrapped'
            )
        if sssr not in ('features', 'logits', 'subpixel'):
            raise ValueError(
                f"DSRLHead: sssr must be 'features', 'logits' or 'subpixel', got {sssr!r}"
            )
        # Losses, sampler and dropout belong to where the classifier is.
        own, rest = {}, dict(seg_head)
        for key in (SEGMENTATION.loss, 'sampler', 'dropout_ratio'):
            if key in rest:
                own[key] = rest.pop(key)
        kept = ('cls_seg', 'loss', 'loss_by_feat')
        inner = build_inner_head(rest, 'DSRLHead', SEGMENTATION, BaseDecodeHead, kept)
        for key in (
            'num_classes',
            'out_channels',
            'threshold',
            'norm_cfg',
            'act_cfg',
            'ignore_index',
            'align_corners',
        ):
            own[key] = getattr(inner, key)
        on_features = sssr == 'features'
        classified = sssr_channels if on_features else inner.channels
        super().__init__(inner.channels, classified, **copy.deepcopy(own), **kwargs)
        self.scale = scale
        inner.conv_seg = torch.nn.Identity()
        inner.dropout = torch.nn.Identity()  # ANN's head calls it itself
        factor = sssr_scale or scale
        compared = sssr_channels if on_features else self.out_channels
        if on_features:
            cfg = dict(norm_cfg=self.norm_cfg, act_cfg=self.act_cfg)
            form = DeconvUpsample(inner.channels, compared, factor, **cfg)
        elif sssr == 'logits':
            form = LogitUpsample(compared, factor)
        else:
            form = SubpixelUpsample(inner.channels, compared, factor)
        shared = dict(scale=factor, norm_cfg=self.norm_cfg, align_corners=self.align_corners)
        self.add_super_resolution(
            SEGMENTATION, inner, form, inner.channels, compared, sisr_head, loss_fa, shared
        )

    def enlarge(self, inputs: tuple[Tensor]) -> tuple[Tensor, Tensor]:
        """Enlarge and classify the features of the wrapped head.

        Args:
            inputs: Maps ``(N, C_i, H_i, W_i)`` of the backbone or neck.

        Returns:
            The maps that FA compares, ``(N, C, sssr_scale * H, sssr_scale * W)``, features or class
            maps, and the logits, ``(N, num_classes, sssr_scale * H, sssr_scale * W)``.
        """
        return self.sssr.enlarge(self.head_features(inputs), self.cls_seg)

    def sssr_features(self, inputs: tuple[Tensor]) -> Tensor:
        """Return the first of :meth:`enlarge`."""
        return self.enlarge(inputs)[0]

    def forward(
        self, inputs: tuple[Tensor], enlarged: tuple[Tensor, Tensor] | None = None
    ) -> Tensor:
        """Return the second of :meth:`enlarge`.

        Args:
            inputs: As of :meth:`enlarge`.
            enlarged: What :meth:`enlarge` made of them. Default: None, made here.

        Returns:
            Logits.
        """
        _, logits = enlarged or self.enlarge(inputs)
        return logits

    def loss(
        self, inputs: tuple[Tensor], batch_data_samples: SampleList, train_cfg: ConfigType
    ) -> dict:
        """Compute the losses of equation 3.

        Args:
            inputs: As of :meth:`forward`.
            batch_data_samples: With full-size ``gt_sem_seg`` and, for SISR, ``gt_img``.
            train_cfg: Unused.

        Returns:
            The losses of ``seg_head``, ``loss_mse`` and ``loss_fa`` as configured, and ``acc_seg``.

        Raises:
            KeyError: A sample has no ``gt_img``.
        """
        enlarged = self.enlarge(inputs)
        # Distillation takes the prediction from the calls of forward().
        losses = self.loss_by_feat(self.forward(inputs, enlarged), batch_data_samples)
        losses.update(
            self.super_resolution_losses(
                inputs,
                enlarged[0],
                batch_data_samples,
                label=self._stack_batch_gt(batch_data_samples).squeeze(1),
                ignore_index=self.ignore_index,
            )
        )
        return losses

    def predict_by_feat(self, seg_logits: Tensor, batch_img_metas: list[dict]) -> Tensor:
        """Resize logits to the full-size image.

        Args:
            seg_logits: ``(N, num_classes, H, W)``.
            batch_img_metas: Meta information that speaks of the full-size image, as the data
                preprocessor leaves it, or of the small one, as upstream makes it up without data
                samples.

        Returns:
            ``(N, num_classes, H, W)`` at full size with padding.

        Raises:
            NotImplementedError: The segmentor tests in sliding windows of images that no
                ``LowResSegDataPreProcessor`` has reduced.
        """
        meta = batch_img_metas[0]
        # A torch.Size is put here by upstream's slide_inference, of a window,
        # and by predict() without data samples, of the small image.
        if isinstance(meta['img_shape'], torch.Size):
            if meta['img_shape'] != meta.get('pad_shape', meta['img_shape']):
                raise NotImplementedError(
                    "DSRLHead: test_cfg=dict(mode='slide') needs "
                    f"data_preprocessor=dict(type='{SEGMENTATION.preprocessor}', "
                    f'scale={self.scale}); with another one windows are added '
                    'up at the size of the small image'
                )
            ratio = as_ratio(self.scale)
            size = tuple(enlarged_side(side, ratio) for side in meta['img_shape'])
            batch_img_metas = [dict(img_shape=size)]
        return super().predict_by_feat(seg_logits, batch_img_metas)

# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Dual super-resolution learning round any decode head of MMSegmentation."""
import copy

import torch
from mmcv.cnn import ConvModule
from mmseg.models.decode_heads.decode_head import BaseDecodeHead
from mmseg.utils import ConfigType, SampleList
from torch import Tensor

from mmhires.models.layers.upsample import DeconvUpsample
from mmhires.registry import MODELS


@MODELS.register_module()
class DSRLHead(BaseDecodeHead):
    """Predict at ``scale`` times the input of the network.

    `Dual Super-Resolution Learning for Semantic Segmentation
    <https://openaccess.thecvf.com/content_CVPR_2020/html/Wang_Dual_Super-Resolution_Learning_for_Semantic_Segmentation_CVPR_2020_paper.html>`_,
    section 3.2. The classifier of ``seg_head`` is taken off; deconvolutions
    enlarge its features (SSSR) and the classifier follows at that resolution.
    In training a super-resolution branch (SISR) rebuilds the full-size image
    and the feature-affinity loss (FA) makes the segmentation features follow
    its structure. In evaluation neither runs, and :meth:`switch_to_deploy`
    removes their weights.

    The objective is equation 3: the losses of ``seg_head`` on full-size labels,
    ``loss_mse`` weighted by ``sisr_head.loss_weight`` (w1) and ``loss_fa``
    weighted by ``loss_fa.loss_weight`` (w2). Without ``loss_fa``, and without
    ``sisr_head`` as well, it is the rows "+ SSSR + SISR" and "+ SSSR" of the
    paper's Table 1. The data preprocessor must be
    :class:`LowResSegDataPreProcessor` of the same ``scale``.

    A checkpoint of the model without DSRL loads into it: keys of the plain head
    are read as those of ``seg_head``.

    Args:
        seg_head (dict): Config of any decode head that ends in
            ``cls_seg(features)`` and computes its losses as
            ``BaseDecodeHead`` does, for instance of FCN, PSPNet, DeepLabV3,
            DeepLabV3+, UPerNet, SegFormer, Fast-SCNN.
        scale (int): Label size : network input, a power of two. Default: 2.
        sssr_channels (int): Width of the deconvolutions, which the paper leaves
            open. Default: 32.
        sisr_head (dict, optional): Config of :class:`SISRHead`; ``scale``,
            ``norm_cfg`` and ``align_corners`` are taken from here unless it
            names them. Default: None.
        loss_fa (dict, optional): Config of :class:`FALoss`; needs
            ``sisr_head``. Default: None.
        init_cfg (dict, optional): Of the classifier.

    Raises:
        TypeError: ``seg_head`` is a cascade or exposes no features.
        ValueError: ``loss_fa`` without ``sisr_head``, or a ``scale`` that is
            not a power of two or not that of ``sisr_head``.
    """  # noqa: E501

    def __init__(
        self,
        seg_head: ConfigType,
        scale: int = 2,
        sssr_channels: int = 32,
        sisr_head: ConfigType | None = None,
        loss_fa: ConfigType | None = None,
        init_cfg: ConfigType | None = dict(
            type='Normal', std=0.01, override=dict(name='conv_seg'))
    ) -> None:
        if not isinstance(seg_head, dict):
            raise TypeError(
                'DSRLHead: seg_head must be the config of one decode head, '
                f'got {type(seg_head).__name__}; a cascade cannot be wrapped')
        if loss_fa is not None and sisr_head is None:
            raise ValueError('DSRLHead: loss_fa compares with the features of '
                             'sisr_head, which is None')
        # Losses, sampler and dropout belong to where the classifier is.
        seg_head = copy.deepcopy(seg_head)
        own = {
            key: seg_head.pop(key)
            for key in ('loss_decode', 'sampler', 'dropout_ratio')
            if key in seg_head
        }
        inner = MODELS.build(seg_head)
        _check_exposes_features(inner)
        super().__init__(
            inner.channels,
            sssr_channels,
            num_classes=inner.num_classes,
            out_channels=inner.out_channels,
            threshold=inner.threshold,
            norm_cfg=inner.norm_cfg,
            act_cfg=inner.act_cfg,
            ignore_index=inner.ignore_index,
            align_corners=inner.align_corners,
            init_cfg=init_cfg,
            **own)
        inner.conv_seg = torch.nn.Identity()
        inner.dropout = None
        self.seg_head = inner
        self.scale = scale
        self.sssr = DeconvUpsample(inner.channels, sssr_channels, scale,
                                   self.norm_cfg, self.act_cfg)
        self.sisr_head = self.feature_transform = self.loss_fa = None
        if sisr_head is not None:
            self.sisr_head = MODELS.build(
                dict(
                    dict(
                        scale=scale,
                        norm_cfg=self.norm_cfg,
                        align_corners=self.align_corners), **sisr_head))
            if self.sisr_head.scale != scale:
                raise ValueError(
                    f'DSRLHead(scale={scale}) needs sisr_head of the same '
                    f'scale, got {self.sisr_head.scale}')
        if loss_fa is not None:
            self.loss_fa = MODELS.build(loss_fa)
            self.feature_transform = ConvModule(
                sssr_channels,
                sssr_channels,
                1,
                norm_cfg=self.norm_cfg,
                act_cfg=dict(type='ReLU'))

    def sssr_features(self, inputs: tuple[Tensor]) -> Tensor:
        """Features of ``seg_head``, enlarged by ``scale``.

        Args:
            inputs (tuple[Tensor]): Maps ``(N, C_i, H_i, W_i)`` of the backbone
                or neck.

        Returns:
            Tensor: ``(N, sssr_channels, scale * H, scale * W)``, where
            ``(H, W)`` is the size at which ``seg_head`` would classify.

        Raises:
            TypeError: ``seg_head`` returned something else than its features.
        """
        feat = self.seg_head(inputs)
        if not isinstance(feat, Tensor) or feat.shape[1] != \
                self.seg_head.channels:
            got = tuple(feat.shape) if isinstance(feat, Tensor) else type(feat)
            raise TypeError(
                f'DSRLHead: {type(self.seg_head).__name__} without its '
                f'classifier returned {got} instead of features of '
                f'{self.seg_head.channels} channels, so it cannot be wrapped')
        return self.sssr(feat)

    def forward(self, inputs: tuple[Tensor]) -> Tensor:
        """Logits ``(N, num_classes, scale * H, scale * W)``."""
        return self.cls_seg(self.sssr_features(inputs))

    def super_resolve(self, inputs: tuple[Tensor]) -> Tensor:
        """Image that the SISR branch rebuilds, to look at or to measure.

        Args:
            inputs (tuple[Tensor]): As of :meth:`forward`.

        Returns:
            Tensor: ``(N, 3, H, W)`` at full size, normalised as the images.

        Raises:
            ValueError: The head has no ``sisr_head``.
        """
        if self.sisr_head is None:
            raise ValueError('DSRLHead: there is no sisr_head to rebuild an '
                             'image with')
        size = self.sssr_features(inputs).shape[-2:]
        return self.sisr_head(inputs, size)[1]

    def loss(self, inputs: tuple[Tensor], batch_data_samples: SampleList,
             train_cfg: ConfigType) -> dict:
        """Losses of equation 3.

        Args:
            inputs (tuple[Tensor]): As of :meth:`forward`.
            batch_data_samples (list[:obj:`SegDataSample`]): With full-size
                ``gt_sem_seg`` and, for SISR, ``gt_img``.
            train_cfg (dict): Unused.

        Returns:
            dict[str, Tensor]: The losses of ``seg_head``, ``loss_mse`` and
            ``loss_fa`` as configured, and ``acc_seg``.

        Raises:
            KeyError: A sample has no ``gt_img``.
        """
        feat = self.sssr_features(inputs)
        losses = self.loss_by_feat(self.cls_seg(feat), batch_data_samples)
        if self.sisr_head is None:
            return losses
        sisr_feat, image = self.sisr_head(inputs, feat.shape[-2:])
        losses['loss_mse'] = self.sisr_head.loss(
            image, _stack_images(batch_data_samples))
        if self.loss_fa is not None:
            losses[self.loss_fa.loss_name] = self.loss_fa(
                self.feature_transform(feat), sisr_feat)
        return losses

    def predict_by_feat(self, seg_logits: Tensor,
                        batch_img_metas: list[dict]) -> Tensor:
        """Resize logits to the full-size image.

        Args:
            seg_logits (Tensor): ``(N, num_classes, H, W)``.
            batch_img_metas (list[dict]): Meta information that speaks of the
                full-size image, as the data preprocessor leaves it.

        Returns:
            Tensor: ``(N, num_classes, H, W)`` at full size with padding.

        Raises:
            NotImplementedError: The segmentor tests in sliding windows.
        """
        meta = batch_img_metas[0]
        # Only upstream's slide_inference puts the size of a window here.
        if isinstance(meta['img_shape'], torch.Size):
            raise NotImplementedError(
                "DSRLHead: test_cfg=dict(mode='slide') adds windows up at the "
                'size of the small image and would lose the full-size '
                "prediction; use test_cfg=dict(mode='whole')")
        return super().predict_by_feat(seg_logits, batch_img_metas)

    def switch_to_deploy(self) -> None:
        """Remove what only training needs, for good."""
        self.sisr_head = self.feature_transform = self.loss_fa = None

    def _load_from_state_dict(self, state_dict: dict, prefix: str, *args,
                              **kwargs) -> None:
        wrapped = self.seg_head.state_dict()
        for key in list(state_dict):
            name = key[len(prefix):]
            if key.startswith(prefix) and name in wrapped:
                state_dict[f'{prefix}seg_head.{name}'] = state_dict.pop(key)
        super()._load_from_state_dict(state_dict, prefix, *args, **kwargs)


def _check_exposes_features(head: torch.nn.Module) -> None:
    """Refuse heads whose classifier or losses are not BaseDecodeHead's."""
    name = type(head).__name__
    if not isinstance(getattr(head, 'conv_seg', None), torch.nn.Conv2d):
        raise TypeError(f'DSRLHead: {name} has no classifier conv_seg to take '
                        'off, so its features cannot be reached')
    for method in ('cls_seg', 'loss', 'loss_by_feat'):
        if getattr(type(head), method) is not getattr(BaseDecodeHead, method):
            raise TypeError(
                f'DSRLHead: {name} has a {method}() of its own, which would '
                'be lost; wrap a head that keeps that of BaseDecodeHead')


def _stack_images(batch_data_samples: SampleList) -> Tensor:
    for sample in batch_data_samples:
        if 'gt_img' not in sample:
            raise KeyError(
                "DSRLHead: a data sample has no 'gt_img' for the "
                'super-resolution branch; use data_preprocessor='
                "dict(type='mmhires.LowResSegDataPreProcessor', scale=...)")
    return torch.stack([sample.gt_img.data for sample in batch_data_samples])

# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Dual super-resolution learning around any heatmap head of MMPose."""

import copy

import torch
from mmpose.models.heads import BaseHead, HeatmapHead
from mmpose.utils.typing import ConfigType, Features, OptSampleList, Predictions
from torch import Tensor, nn

from mmhires.models.layers.resize import resize_to
from mmhires.models.layers.upsample import DeconvUpsample, count_doublings
from mmhires.models.super_resolution import DualSuperResolution, build_inner_head
from mmhires.registry import MODELS
from mmhires.tasks import POSE


@MODELS.register_module()
class DSRLHeatmapHead(DualSuperResolution, BaseHead):
    """Heatmap head that predicts at ``scale`` times the usual resolution.

    DSRL (see :class:`DualSuperResolution`) for top-down heatmaps, section 5 of the paper. The final
    layer of ``heatmap_head`` is taken off; deconvolutions enlarge its features (SSSR) and a new
    final layer follows at that resolution. In training a super-resolution branch (SISR) rebuilds
    the full-size crop and the feature-affinity loss (FA) makes the keypoint features follow its
    structure. In evaluation neither runs, and :meth:`switch_to_deploy` removes their weights.

    The objective is the loss of ``heatmap_head`` on the enlarged heatmaps, ``loss_mse`` weighted by
    ``sisr_head.loss_weight`` (w1) and ``loss_fa`` weighted by ``loss_fa.loss_weight`` (w2); either
    may be left out. A mean over nearly empty heatmaps is some 1000 times smaller than the
    cross-entropy that w1 and w2 were chosen for: give the loss of ``heatmap_head`` a
    ``loss_weight`` of 1000 beside them.

    The data preprocessor must be :class:`LowResPoseDataPreprocessor` of the same ``scale``, and
    codec and pipeline those of the model at full size: with a scale of 2 a network whose plain head
    has heatmaps of 1/4 of its input has heatmaps of 1/4 of the full-size crop.

    A checkpoint of the model without DSRL loads into it: keys of the plain head are read as those
    of ``heatmap_head``, all but the final layer's.

    Args:
        heatmap_head: Config of ``HeatmapHead``, with or without deconvolutions, or of a subclass
            that keeps its losses and its prediction, such as ``ViPNASHead``. Its ``loss``,
            ``decoder`` and ``final_layer`` are used at the enlarged resolution.
        scale: Full-size crop : network input, above 1. If it is not a power of two, enlarged
            features are resized to the heatmaps of the ``decoder``. Default: 2.
        sssr_channels: Width of the deconvolutions, which the paper leaves open. Default: 32.
        sisr_head: Config of :class:`SISRHead`. ``scale`` and ``norm_cfg`` are taken from here
            unless it names them. Default: None.
        loss_fa: Config of :class:`FALoss`; needs ``sisr_head``. Default: None.
        norm_cfg: Normalisation of what DSRL adds. Default: BN.
        init_cfg: Of :class:`mmengine.model.BaseModule`.

    Raises:
        TypeError: ``heatmap_head`` exposes no features.
        ValueError: ``loss_fa`` without ``sisr_head``, or a ``scale`` that is not above 1 or not
            that of ``sisr_head``.
    """

    def __init__(
        self,
        heatmap_head: ConfigType,
        scale: float = 2,
        sssr_channels: int = 32,
        sisr_head: ConfigType | None = None,
        loss_fa: ConfigType | None = None,
        norm_cfg: ConfigType = dict(type='BN'),
        init_cfg: ConfigType | None = None,
    ) -> None:
        super().__init__(init_cfg)
        kept = ('loss', 'predict', 'decode')
        inner = build_inner_head(heatmap_head, 'DSRLHeatmapHead', POSE, HeatmapHead, kept)
        own = {
            key: copy.deepcopy(heatmap_head[key])
            for key in (POSE.loss, 'decoder', POSE.last_layer)
            if key in heatmap_head
        }
        width = inner.final_layer.in_channels
        inner.final_layer = nn.Identity()
        inner.loss_module = inner.decoder = None
        sssr = DeconvUpsample(width, sssr_channels, scale, norm_cfg=norm_cfg)
        self.scale = scale
        shared = dict(scale=scale, norm_cfg=norm_cfg)
        self.add_super_resolution(
            POSE, inner, sssr, width, sssr_channels, sisr_head, loss_fa, shared
        )
        # A whole head: final layer, loss, flip test and decoding are its.
        self.predictor = HeatmapHead(
            sssr_channels, inner.out_channels, deconv_out_channels=None, **own
        )
        self.decoder = self.predictor.decoder

    def sssr_features(self, inputs: tuple[Tensor]) -> Tensor:
        """Return features of the wrapped head, enlarged by SSSR.

        Args:
            inputs: As of :meth:`head_features`.

        Returns:
            ``(N, channels, scale * H, scale * W)``, or of the size of the codec's heatmaps if
            ``scale`` is not a power of two.
        """
        feat = self.sssr(self.head_features(inputs))
        size = getattr(self.decoder, 'heatmap_size', None)
        if size is None or 2 ** count_doublings(self.scale) == self.scale:
            return feat
        return resize_to(feat, size[::-1])

    def forward(self, feats: tuple[Tensor]) -> Tensor:
        """Predict heatmaps.

        Args:
            feats: Maps ``(N, C_i, H_i, W_i)`` of the backbone or neck.

        Returns:
            ``(N, out_channels, scale * H, scale * W)``, where ``(H, W)`` is the size at which
            ``heatmap_head`` would predict.
        """
        return self.predictor((self.sssr_features(feats),))

    def predict(
        self, feats: Features, batch_data_samples: OptSampleList, test_cfg: ConfigType = {}
    ) -> Predictions:
        """Predict keypoints, and heatmaps on request, as ``HeatmapHead`` does.

        Args:
            feats: As of :meth:`forward`; those of the crop and of its mirror image if ``flip_test``
                is on.
            batch_data_samples: Data samples.
            test_cfg: ``flip_test``, ``flip_mode``, ``shift_heatmap`` and ``output_heatmaps``.

        Returns:
            list[:obj:`InstanceData`] | tuple: Keypoints in the coordinates of the full-size crop;
            with ``output_heatmaps`` heatmaps as well.

        Raises:
            ValueError: The codec is made for heatmaps of another size.
        """
        if test_cfg.get('flip_test'):
            enlarged = [(self._checked_features(view),) for view in feats]
        else:
            enlarged = (self._checked_features(feats),)
        return self.predictor.predict(enlarged, batch_data_samples, test_cfg)

    def loss(
        self, feats: tuple[Tensor], batch_data_samples: OptSampleList, train_cfg: ConfigType = {}
    ) -> dict:
        """Compute the losses of keypoints and super-resolution.

        Args:
            feats: As of :meth:`forward`.
            batch_data_samples: With heatmaps of the enlarged size and, for SISR, ``gt_img``.
            train_cfg: ``compute_acc``.

        Returns:
            ``loss_kpt``, ``loss_mse`` and ``loss_fa`` as configured, and ``acc_pose`` except in
            bf16.

        Raises:
            KeyError: A sample has no ``gt_img``.
            ValueError: The codec is made for heatmaps of another size.
        """
        feat = self._checked_features(feats)
        if feat.dtype is torch.bfloat16:
            # MMPose measures the accuracy by NumPy, which has no such type.
            train_cfg = dict(train_cfg, compute_acc=False)
        losses = self.predictor.loss((feat,), batch_data_samples, train_cfg)
        losses.update(self.super_resolution_losses(feats, feat, batch_data_samples))
        return losses

    def _checked_features(self, feats: tuple[Tensor]) -> Tensor:
        """Return SSSR features; check that the codec fits their size."""
        feat = self.sssr_features(feats)
        size = (feat.shape[3], feat.shape[2])
        wanted = getattr(self.decoder, 'heatmap_size', size)
        if tuple(wanted) != size:
            raise ValueError(
                f'DSRLHeatmapHead: the codec has heatmap_size={wanted} (width, height), the head '
                f'predicts {size}. Codec and pipeline must be those of the full-size model, and '
                f"data_preprocessor dict(type='{POSE.preprocessor}', scale={self.scale})"
            )
        return feat

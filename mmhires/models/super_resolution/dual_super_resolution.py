# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Dual super-resolution learning for a head of any task."""

import copy
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from mmcv.cnn import ConvModule
from torch import Tensor, nn

from mmhires.models.layers.resize import scaled_side
from mmhires.models.low_res.reduction import full_size_images, restored
from mmhires.models.padding import image_pixels
from mmhires.models.wrapping import read_as_wrapped
from mmhires.registry import MODELS
from mmhires.tasks import Task


def build_inner_head(
    cfg: dict, owner: str, task: Task, plain: type, kept: Sequence[str]
) -> nn.Module:
    """Build a head that can be wrapped without losing features or losses.

    Args:
        cfg: Its config.
        owner: Head that wraps it, for errors.
        task: Says which convolution the owner takes off.
        plain: Class of the task's head, by whose methods the owner goes.
        kept: Methods that the wrapped head must have from ``plain``.

    Returns:
        The head, still with its last layer.

    Raises:
        TypeError: There is no such layer, or a method of its own.
    """
    head = MODELS.build(copy.deepcopy(cfg))
    name = type(head).__name__
    if not isinstance(getattr(head, task.last_layer, None), nn.Conv2d):
        raise TypeError(
            f'{owner}: {name} has no convolution {task.last_layer} to '
            'take off, so its features cannot be reached'
        )
    for method in kept:
        if getattr(type(head), method) is not getattr(plain, method):
            raise TypeError(
                f'{owner}: {name} has a {method}() of its own, which '
                f'would be lost; wrap a head that keeps that of {plain.__name__}'
            )
    return head


class DualSuperResolution:
    """Mixin that adds the SSSR, SISR and FA parts of DSRL to a head.

    `Dual Super-Resolution Learning for Semantic Segmentation
    <https://openaccess.thecvf.com/content_CVPR_2020/html/Wang_Dual_Super-Resolution_Learning_for_Semantic_Segmentation_CVPR_2020_paper.html>`_,
    section 3.2. The head that inherits it wraps another one of its task, from
    :func:`build_inner_head`, whose last layer it has taken off, and calls
    :meth:`add_super_resolution` in its constructor. Keys of a plain head in a checkpoint are read
    as those of the wrapped one.

    All forms of SSSR have a method ``enlarge(features, classify)``: from features
    ``(N, C, H, W)`` and the last layer it makes the maps ``(N, channels, s H, s W)`` that FA
    compares with those of SISR, and the prediction ``(N, out_channels, s H, s W)``.

    Attributes:
        inner (nn.Module): The wrapped head.
    """

    def add_super_resolution(
        self,
        task: Task,
        inner: nn.Module,
        sssr: nn.Module,
        in_channels: int,
        channels: int,
        sisr_head: dict | None,
        loss_fa: dict | None,
        shared: dict,
    ) -> None:
        """Set ``inner`` and ``sssr``; build ``sisr_head`` and ``feature_transform``.

        Args:
            task: Of the head.
            inner: The wrapped head, without its last layer.
            sssr: Enlarges its features or its prediction.
            in_channels: Width of the wrapped head's features.
            channels: Width of the maps that FA compares.
            sisr_head: Config of :class:`SISRHead`.
            loss_fa: Config of :class:`FALoss`.
            shared: What ``sisr_head`` has unless it names it: ``scale``, by which SSSR enlarges,
                ``norm_cfg``, ``align_corners``.

        Raises:
            ValueError: ``loss_fa`` without ``sisr_head``, or a ``scale`` of ``sisr_head`` that is
                another.
        """
        name = type(self).__name__
        if loss_fa is not None and sisr_head is None:
            raise ValueError(
                f'{name}: loss_fa compares with the features of sisr_head, which is None'
            )
        self.inner = inner
        self.width = in_channels
        self._task = task
        self.sssr = sssr
        self.sisr_head = self.feature_transform = self.loss_fa = None
        if sisr_head is not None:
            self.sisr_head = MODELS.build({**shared, **sisr_head})
            wanted, given = shared['scale'], self.sisr_head.scale
            if given != wanted:
                raise ValueError(
                    f'{name}(scale={wanted}) needs sisr_head of the same scale, got {given}'
                )
        if loss_fa is not None:
            self.loss_fa = MODELS.build(loss_fa)
            self.feature_transform = ConvModule(channels, channels, 1, norm_cfg=shared['norm_cfg'])

    def head_features(self, inputs: tuple[Tensor]) -> Tensor:
        """Return features of the wrapped head.

        Args:
            inputs: Maps ``(N, C_i, H_i, W_i)`` of the backbone or neck.

        Returns:
            ``(N, C, H, W)``, the size at which the wrapped head would predict.

        Raises:
            TypeError: The wrapped head returned something else than its features.
        """
        feat = self.inner(inputs)
        if not isinstance(feat, Tensor) or feat.shape[1] != self.width:
            got = tuple(feat.shape) if isinstance(feat, Tensor) else type(feat)
            raise TypeError(
                f'{type(self).__name__}: {type(self.inner).__name__} without its '
                f'last layer returned {got} instead of features of '
                f'{self.width} channels, so it cannot be wrapped'
            )
        return feat

    def sssr_features(self, inputs: tuple[Tensor]) -> Tensor:
        """Return the maps of SSSR that FA compares.

        Args:
            inputs: As of :meth:`head_features`.

        Returns:
            ``(N, channels, sssr_scale * H, sssr_scale * W)``.
        """
        raise NotImplementedError

    def super_resolve(self, inputs: tuple[Tensor], image: Tensor | None = None) -> Tensor:
        """Rebuild the image by the SISR branch, for figures and metrics.

        Args:
            inputs: As of :meth:`sssr_features`.
            image: Input of the network, ``(N, C, h, w)``, for a residual SISR. Default: None.

        Returns:
            ``(N, C, H, W)`` at full size, normalised as the images.

        Raises:
            ValueError: The head has no ``sisr_head``.
        """
        if self.sisr_head is None:
            raise ValueError(
                f'{type(self).__name__}: there is no sisr_head to rebuild an image with'
            )
        size = self.sssr_features(inputs).shape[-2:]
        return self._rebuild(inputs, size, image)[1]

    def _rebuild(
        self, inputs: tuple[Tensor], size: torch.Size, image: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        if self.sisr_head.residual:
            full = [scaled_side(side, self.scale, 1) for side in image.shape[-2:]]
            image = F.interpolate(image, full, mode='bicubic')
        return self.sisr_head(inputs, size, image)

    def super_resolution_losses(
        self, inputs: tuple[Tensor], feat: Tensor, batch_data_samples: list, **label
    ) -> dict:
        """Compute the SISR and FA terms of equation 3, as configured.

        Args:
            inputs: As of :meth:`sssr_features`.
            feat: What :meth:`sssr_features` made of them.
            batch_data_samples: Data samples with ``gt_img`` and, for a residual SISR,
                ``input_img``.
            **label: Of :class:`FALoss`.

        Returns:
            ``loss_mse`` and ``loss_fa``, both weighted.

        Raises:
            KeyError: A sample has no ``gt_img``.
        """
        if self.sisr_head is None:
            return {}
        batch_data_samples = [restored(x) for x in batch_data_samples]
        reader, preprocessor = 'the super-resolution branch', self._task.preprocessor
        target = full_size_images(self, batch_data_samples, reader, preprocessor)
        small = None
        if self.sisr_head.residual:
            small = torch.stack([x.input_img.data for x in batch_data_samples])
        sisr_feat, image = self._rebuild(inputs, feat.shape[-2:], small)
        inside = image_pixels(batch_data_samples)
        losses = dict(loss_mse=self.sisr_head.loss(image, target, inside))
        if self.loss_fa is not None:
            losses[self.loss_fa.loss_name] = self.loss_fa(
                self.feature_transform(feat), sisr_feat, inside=inside, **label
            )
        return losses

    def switch_to_deploy(self, test_cfg: dict | None = None) -> None:
        """Remove the training-only parts permanently.

        Args:
            test_cfg: What MMPose's estimators pass; unused.
        """
        self.sisr_head = self.feature_transform = self.loss_fa = None

    def _load_from_state_dict(self, state_dict: dict, prefix: str, *args, **kwargs) -> None:
        read_as_wrapped(self, 'inner', state_dict, prefix, self._task.wrapped)
        super()._load_from_state_dict(state_dict, prefix, *args, **kwargs)

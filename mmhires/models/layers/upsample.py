# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Learned upsampling by transposed convolutions."""

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from mmcv.cnn import ConvModule
from torch import Tensor, nn

from mmhires.models.layers.resize import enlarge_to

Classify = Callable[[Tensor], Tensor]


def count_doublings(scale: float) -> int:
    """Return how many doublings reach a factor.

    Args:
        scale: The factor, above 1.

    Returns:
        Its logarithm to base 2, rounded up.

    Raises:
        ValueError: There is nothing to enlarge.
    """
    if not scale > 1:
        raise ValueError(f'upsampling enlarges: scale must be above 1, got {scale}')
    return math.ceil(math.log2(scale))


def bilinear_kernel() -> Tensor:
    """Return the kernel ``(4, 4)`` of a transposed convolution that doubles a map.

    Returns:
        For stride 2 and padding 1.
    """
    ramp = torch.tensor([0.25, 0.75, 0.75, 0.25])
    return ramp[:, None] * ramp


class BilinearDeconv(nn.ConvTranspose2d):
    """Transposed convolution that starts as a projection and a resize.

    The weights begin as the product of a 1x1 projection and the bilinear kernel, so that an
    untrained layer is smooth where a random one paints a checkerboard. Kernel 4, stride 2, padding
    1 doubles the size. The projection is random (Kaiming), or the identity with ``identity=True``.
    """

    def __init__(self, *args, identity: bool = False, **kwargs) -> None:
        self.identity = identity
        super().__init__(*args, **kwargs)

    def reset_parameters(self) -> None:
        """Fill the weights as described above."""
        if self.identity:
            projection = torch.eye(self.in_channels)[..., None, None]
        else:
            projection = torch.empty(self.in_channels, self.out_channels, 1, 1)
            nn.init.kaiming_normal_(projection, mode='fan_out')
        with torch.no_grad():
            self.weight.copy_(projection * bilinear_kernel())
            if self.bias is not None:
                self.bias.zero_()

    # A convolution that has this keeps its weights inside mmcv's ConvModule.
    init_weights = reset_parameters


class DeconvUpsample(nn.Sequential):
    """Stack of deconvolution + norm + activation, 2x a step.

    DSRL's extra upsampling module ("a stack of deconvolution layers, each followed by BatchNorm and
    ReLU", section 3.2 of the paper): ``(N, in_channels, H, W)`` to ``(N, channels, scale * H, scale
    * W)``. A scale that is not a power of two is doubled beyond and resized.

    Args:
        in_channels: Width of the input.
        channels: Width of every step.
        scale: Total factor, above 1.
        **cfg: ``norm_cfg`` and ``act_cfg``. Default: None and ReLU.

    Raises:
        ValueError: ``scale`` is not above 1.
    """

    def __init__(self, in_channels: int, channels: int, scale: float, **cfg: dict | None) -> None:
        cfg.update(stride=2, padding=1, conv_cfg=dict(type=BilinearDeconv))
        super().__init__()
        self.scale = scale
        for step in range(count_doublings(scale)):
            width = channels if step else in_channels
            self.append(ConvModule(width, channels, 4, **cfg))

    def forward(self, x: Tensor) -> Tensor:
        """Enlarge ``(N, in_channels, H, W)`` to ``(N, channels, s H, s W)``."""
        return enlarge_to(super().forward(x), x.shape[-2:], self.scale)

    def enlarge(self, features: Tensor, classify: Classify) -> tuple[Tensor, Tensor]:
        """Enlarge features and classify them, see :class:`DualSuperResolution`."""
        enlarged = self(features)
        return enlarged, classify(enlarged)


class LogitUpsample(nn.Sequential):
    """Deconvolutions of class maps that start as a bilinear resize.

    Where the released code of DSRL has its extra upsampling: behind the classifier. A stack of it
    that was not trained is the plain network, bilinearly doubled ``log2(scale)`` times, up to the
    last pixel. A scale that is not a power of two is doubled beyond and resized.

    Args:
        channels: Number of class maps.
        scale: Total factor, above 1.

    Raises:
        ValueError: ``scale`` is not above 1.
    """

    def __init__(self, channels: int, scale: float) -> None:
        super().__init__()
        self.scale = scale
        cfg = dict(stride=2, padding=3, bias=False, identity=True)
        for _ in range(count_doublings(scale)):
            # The border continues, as it does for a resize: with zeros
            # outside, the outermost pixels would start fainter.
            self.append(nn.ReplicationPad2d(1))
            self.append(BilinearDeconv(channels, channels, 4, **cfg))

    def forward(self, logits: Tensor) -> Tensor:
        """Enlarge ``(N, K, H, W)`` to ``(N, K, s H, s W)``."""
        return enlarge_to(super().forward(logits), logits.shape[-2:], self.scale)

    def enlarge(self, features: Tensor, classify: Classify) -> tuple[Tensor, Tensor]:
        """Classify features and enlarge the class maps, which are compared as well."""
        logits = self(classify(features))
        return logits, logits


class SubpixelUpsample(nn.Module):
    """Resized class maps plus a sub-pixel convolution of features.

    The sub-pixel convolution of `ESPCN <https://arxiv.org/abs/1609.05158>`_ with a kernel of 1x1 at
    the resolution of the features, which costs as much as ``scale^2`` classifiers. It starts at
    zero: the plain network, resized. Of a scale that is not whole the convolution is of the next
    whole one.

    Args:
        in_channels: Width of the features.
        channels: Number of class maps.
        scale: Factor, above 1.

    Raises:
        ValueError: ``scale`` is not above 1.
    """

    def __init__(self, in_channels: int, channels: int, scale: float) -> None:
        super().__init__()
        count_doublings(scale)
        self.scale = scale
        self.phases = math.ceil(scale)
        self.conv = nn.Conv2d(in_channels, channels * self.phases**2, 1)
        nn.init.zeros_(self.conv.weight)
        nn.init.zeros_(self.conv.bias)

    def enlarge(self, features: Tensor, classify: Classify) -> tuple[Tensor, Tensor]:
        """Classify features and enlarge the class maps, which are compared as well."""
        logits = self(classify(features), features)
        return logits, logits

    def forward(self, logits: Tensor, feat: Tensor) -> Tensor:
        """Enlarge ``(N, K, H, W)``, with ``(N, C, H, W)``, to ``(N, K, s H, s W)``."""
        detail = F.pixel_shuffle(self.conv(feat), self.phases)
        if self.phases != self.scale:
            size = logits.shape[-2:]
            resized = enlarge_to(logits, size, self.scale)
            return resized + enlarge_to(detail, size, self.scale)
        return detail + F.interpolate(logits, scale_factor=self.phases, mode='bilinear')

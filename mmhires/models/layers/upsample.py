# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Learned upsampling by transposed convolutions."""

import torch
import torch.nn.functional as F
from mmcv.cnn import ConvModule
from torch import Tensor, nn


def count_doublings(scale: int) -> int:
    """How many doublings make a factor.

    Args:
        scale (int): The factor, a power of two of at least 2.

    Returns:
        int: Its logarithm to base 2.

    Raises:
        ValueError: Doubling does not reach ``scale``.
    """
    if scale < 2 or scale & (scale - 1):
        raise ValueError('upsampling doubles the size a step: scale must '
                         f'be a power of two of at least 2, got {scale}')
    return scale.bit_length() - 1


def bilinear_kernel() -> Tensor:
    """Kernel ``(4, 4)`` with which a transposed convolution doubles a map.

    Returns:
        Tensor: For stride 2 and padding 1.
    """
    ramp = torch.tensor([0.25, 0.75, 0.75, 0.25])
    return ramp[:, None] * ramp


class BilinearDeconv(nn.ConvTranspose2d):
    """Transposed convolution that starts as a projection and a resize.

    The weights begin as the product of a 1x1 projection and the bilinear
    kernel, so that an untrained layer is smooth where a random one paints a
    checkerboard. Kernel 4, stride 2, padding 1 doubles the size. The
    projection is random (Kaiming), or the identity with ``identity=True``.
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

    DSRL's extra upsampling module ("a stack of deconvolution layers, each
    followed by BatchNorm and ReLU", section 3.2 of the paper):
    ``(N, in_channels, H, W)`` to ``(N, channels, scale * H, scale * W)``.

    Args:
        in_channels (int): Width of the input.
        channels (int): Width of every step.
        scale (int): Total factor, a power of two.
        **cfg: ``norm_cfg`` and ``act_cfg``. Default: None and ReLU.

    Raises:
        ValueError: ``scale`` is not a power of two of at least 2.
    """

    def __init__(self, in_channels: int, channels: int, scale: int,
                 **cfg: dict | None) -> None:
        cfg.update(stride=2, padding=1, conv_cfg=dict(type=BilinearDeconv))
        super().__init__()
        for step in range(count_doublings(scale)):
            width = channels if step else in_channels
            self.append(ConvModule(width, channels, 4, **cfg))


class LogitUpsample(nn.Sequential):
    """Deconvolutions of class maps that start as a bilinear resize.

    Where the released code of DSRL has its extra upsampling: behind the
    classifier. A stack of it that was not trained is the plain network,
    bilinearly doubled ``log2(scale)`` times, up to the last pixel.

    Args:
        channels (int): Number of class maps.
        scale (int): Total factor, a power of two.

    Raises:
        ValueError: ``scale`` is not a power of two of at least 2.
    """

    def __init__(self, channels: int, scale: int) -> None:
        super().__init__()
        cfg = dict(stride=2, padding=3, bias=False, identity=True)
        for _ in range(count_doublings(scale)):
            # The border continues, as it does for a resize: with zeros
            # outside, the outermost pixels would start fainter.
            self.append(nn.ReplicationPad2d(1))
            self.append(BilinearDeconv(channels, channels, 4, **cfg))

    def forward(self, logits: Tensor, feat: Tensor) -> Tensor:
        """``(N, K, H, W)`` to ``(N, K, s H, s W)``; ``feat`` is not read."""
        return super().forward(logits)


class SubpixelUpsample(nn.Module):
    """What a sub-pixel convolution of features adds to resized class maps.

    The sub-pixel convolution of `ESPCN <https://arxiv.org/abs/1609.05158>`_
    with a kernel of 1x1 at the resolution of the features, which costs as much
    as ``scale^2`` classifiers. It starts at zero: the plain network, resized.

    Args:
        in_channels (int): Width of the features.
        channels (int): Number of class maps.
        scale (int): Factor, a power of two.

    Raises:
        ValueError: ``scale`` is not a power of two of at least 2.
    """

    def __init__(self, in_channels: int, channels: int, scale: int) -> None:
        super().__init__()
        count_doublings(scale)
        self.scale = scale
        self.conv = nn.Conv2d(in_channels, channels * scale**2, 1)
        nn.init.zeros_(self.conv.weight)
        nn.init.zeros_(self.conv.bias)

    def forward(self, logits: Tensor, feat: Tensor) -> Tensor:
        """``(N, K, H, W)`` and ``(N, C, H, W)`` to ``(N, K, s H, s W)``."""
        resized = F.interpolate(
            logits, scale_factor=self.scale, mode='bilinear')
        return resized + F.pixel_shuffle(self.conv(feat), self.scale)

# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Single-image super-resolution branch of DSRL."""

from collections.abc import Sequence
from functools import partial

import torch
import torch.nn.functional as F
from mmcv.cnn import ConvModule
from mmcv.cnn.bricks.upsample import PixelShufflePack
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmhires.models.layers.resize import resize_to
from mmhires.models.layers.upsample import count_doublings
from mmhires.registry import MODELS
from mmhires.utils.ratio import as_ratio


@MODELS.register_module()
class SISRHead(BaseModule):
    """Rebuilds the full-size image from features of the small one.

    The SISR branch of DSRL (section 3.2, equation 5), after the sub-pixel convolution of ESPCN
    (`arXiv 1609.05158 <https://arxiv.org/abs/1609.05158>`_). It projects the maps it shares with
    the segmentation head, brings them to the size of that head's features and sums them, doubles
    the sum by sub-pixel convolution to the size of the SSSR features, where the feature-affinity
    loss compares the two, and makes an image of it by one more sub-pixel convolution. Used inside
    :class:`DSRLHead`, in training only. Sub-pixel convolutions start without a checkerboard: all
    pixels that come from one start equal (`arXiv 1707.02937 <https://arxiv.org/abs/1707.02937>`_).

    Args:
        in_channels: Width of each map that is read.
        in_index: Which outputs of the backbone or neck to read. A shallow one makes a sharper
            image. Default: -1.
        channels: Width of the branch. Default: 64.
        scale: Full-size image : network input, above 1. What is doubled beyond it is resized.
            Default: 2.
        upscale: Full-size image : SSSR features. It is the stride of the wrapped head's features,
            e.g. 4 for DeepLabV3+ and 8 for FCN or PSPNet on a backbone of output stride 8. Default:
            4.
        image_channels: Channels of the images, as the network's first convolution takes them.
            Default: 3.
        residual: Predict what the network's input, enlarged by bicubic interpolation, lacks of the
            full-size image, and start at nothing. Default: False.
        encoder_grad: Share of its gradient that reaches the maps which are read, 0 to 1. At 0 only
            the branch itself learns from it, for a warm-up by :class:`RampHook`, for instance.
            Default: 1.0.
        reduction: What becomes of the squares of one pixel's colours: their ``'sum'``, as equation
            5 prints it, or their ``'mean'``. Default: ``'sum'``.
        loss_weight: ``w1`` of equation 3. Default: 0.1.
        norm_cfg: Normalisation, which networks for super-resolution leave out (None). Default: BN.
        act_cfg: Activation. Default: ReLU.
        align_corners: For resizing the maps that are read. Default: False.
        init_cfg: Of :class:`mmengine.model.BaseModule`.

    Raises:
        ValueError: ``in_channels`` and ``in_index`` differ in length, ``scale`` is not above 1, or
            an unknown ``reduction``.
    """

    def __init__(
        self,
        in_channels: int | Sequence[int],
        in_index: int | Sequence[int] = -1,
        channels: int = 64,
        scale: float = 2,
        upscale: int = 4,
        image_channels: int = 3,
        residual: bool = False,
        encoder_grad: float = 1.0,
        reduction: str = 'sum',
        loss_weight: float = 0.1,
        norm_cfg: dict = dict(type='BN'),
        act_cfg: dict = dict(type='ReLU'),
        align_corners: bool = False,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        in_channels, in_index = (
            [value] if isinstance(value, int) else value for value in (in_channels, in_index)
        )
        if len(in_channels) != len(in_index):
            raise ValueError(
                f'SISRHead: in_channels={in_channels} and '
                f'in_index={in_index} must be of equal length'
            )
        if reduction not in ('sum', 'mean'):
            raise ValueError(f"SISRHead: reduction must be 'sum' or 'mean', got {reduction!r}")
        self.in_channels = in_channels
        self.in_index = in_index
        self.residual = residual
        self.encoder_grad = encoder_grad
        self.reduction = reduction
        self.scale = scale
        self.upscale = upscale
        self.image_channels = image_channels
        self.loss_weight = loss_weight
        self.align_corners = align_corners
        conv = partial(ConvModule, norm_cfg=norm_cfg, act_cfg=act_cfg)
        self.project = nn.ModuleList(conv(width, channels, 1) for width in in_channels)
        self.upsample = nn.Sequential()
        for _ in range(count_doublings(scale)):
            self.upsample.append(_SubpixelConv(channels, channels, 2, 3))
            self.upsample.append(conv(channels, channels, 3, padding=1))
        self.to_image = _SubpixelConv(
            channels, image_channels, upscale, 3, gain=0.0 if residual else 1.0
        )

    def forward(
        self, inputs: Sequence[Tensor], size: Sequence[int], enlarged: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Return features at the SSSR resolution, and the image.

        Args:
            inputs: Maps ``(N, C_i, H_i, W_i)`` of the backbone or neck.
            size: Size ``(H, W)`` of the SSSR features.
            enlarged: Input of the network at full size, ``(N, image_channels, h, w)``, for a
                residual branch. Default: None.

        Returns:
            ``(N, channels, H, W)`` and ``(N, image_channels, upscale * H, upscale * W)``,
            normalised as the images; of a residual branch ``(N, image_channels, h, w)``.

        Raises:
            ValueError: ``upscale`` does not lead to the size of ``enlarged``, ``image_channels``
                are not its channels, a map of ``in_index`` is not there, or not as wide as
                ``in_channels`` says.
        """
        self._check_maps(inputs)
        ratio = as_ratio(self.scale)
        small = [int(pixels // ratio) for pixels in size]
        maps = [project(self._shared(inputs[i])) for project, i in zip(self.project, self.in_index)]
        shared = sum(resize_to(x, small, self.align_corners) for x in maps)
        feat = self.upsample(shared)
        if ratio.denominator > 1 or ratio.numerator.bit_count() > 1:
            feat = resize_to(feat, size, self.align_corners)
        image = self.to_image(feat)
        if self.residual:
            image = self._cut(image, enlarged) + enlarged
        return feat, image

    def _shared(self, feat: Tensor) -> Tensor:
        """Return the same map, with a share of its gradient."""
        if self.encoder_grad == 1:
            return feat
        return feat.detach().lerp(feat, self.encoder_grad)

    def _check_maps(self, inputs: Sequence[Tensor]) -> None:
        widths = [x.shape[1] for x in inputs]
        there = [-len(widths) <= i < len(widths) for i in self.in_index]
        if not all(there):
            raise ValueError(
                f'SISRHead(in_index={list(self.in_index)}): there are {len(widths)} maps, of '
                f'widths {widths}; choose from 0 to {len(widths) - 1}'
            )
        wanted = [widths[i] for i in self.in_index]
        if wanted != list(self.in_channels):
            raise ValueError(
                f'SISRHead(in_channels={list(self.in_channels)}): the maps of '
                f'in_index={list(self.in_index)} are {wanted} wide; set in_channels={wanted}'
            )

    def loss(self, image: Tensor, target: Tensor, inside: Tensor | None = None) -> Tensor:
        """Compute the weighted mean squared error of equation 5.

        Args:
            image: What :meth:`forward` rebuilt. It may exceed the target at the right and bottom by
                less than ``upscale`` steps of the SSSR features' coarser grid, which is cut off.
            target: Normalised full-size images ``(N, image_channels, H, W)``.
            inside: Pixels ``(N, H, W)`` of images, bool, in a batch of which some are padded.
                Default: None, all.

        Returns:
            ``w1`` times the mean over the pixels that are not padding.

        Raises:
            ValueError: ``upscale`` does not lead to the size of the target, ``image_channels`` are
                not its channels, or the batch is empty.
        """
        if len(target) == 0:
            raise ValueError('SISRHead: the batch is empty')
        image = self._cut(image, target)
        if inside is None:
            loss = F.mse_loss(image, target)
        else:
            square = F.mse_loss(image, target, reduction='none').mean(1)
            loss = (square * inside).sum() / inside.sum().clamp(min=1)
        if self.reduction == 'sum':
            loss = target.shape[1] * loss
        return self.loss_weight * loss

    def _cut(self, image: Tensor, full: Tensor) -> Tensor:
        """Crop an image to the full size."""
        height, width = full.shape[-2:]
        if full.shape[1] != self.image_channels:
            raise ValueError(
                f'SISRHead(image_channels={self.image_channels}): the full-size images are '
                f'{tuple(full.shape)}; set image_channels={full.shape[1]}'
            )
        # The encoder rounds sizes up to its stride, upscale * scale pixels of
        # the full-size image at most for the maps compared here; SSSR rounds
        # up by less than another upscale where scale is not whole.
        surplus = image.shape[-2] - height, image.shape[-1] - width
        whole = as_ratio(self.scale).denominator == 1
        limit = self.upscale * (self.scale + (not whole))
        if min(surplus) < 0 or max(surplus) >= limit:
            fitting = self.upscale * height / image.shape[-2]
            raise ValueError(
                f'SISRHead(upscale={self.upscale}) rebuilt {tuple(image.shape[-2:])} pixels for '
                f'full-size images of {(height, width)}: set upscale to about {fitting:.3g}, the '
                "stride of the segmentation head's features"
            )
        return image[..., :height, :width]


class _SubpixelConv(PixelShufflePack):
    """Convolution and pixel shuffle, without a checkerboard at the start."""

    def __init__(self, *args, gain: float = 1.0, **kwargs) -> None:
        self.gain = gain
        super().__init__(*args, **kwargs)

    def init_weights(self) -> None:
        """Initialise by Xavier's rule times ``gain``, equal for every phase."""
        super().init_weights()
        phases = self.scale_factor**2
        with torch.no_grad():
            for values in self.upsample_conv.parameters():
                first = self.gain * values[::phases]
                values.copy_(first.repeat_interleave(phases, 0))

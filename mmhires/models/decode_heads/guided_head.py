# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Class maps of a small image, corrected by a branch at full size."""

from collections.abc import Callable
from typing import Any

import torch.nn.functional as F
from mmcv.cnn import ConvModule, DepthwiseSeparableConvModule
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmhires.models.layers.resize import resize_to
from mmhires.models.super_resolution import DualSuperResolution
from mmhires.models.wrapping import read_as_wrapped
from mmhires.registry import MODELS


@MODELS.register_module()
class GuidedHead(BaseModule):
    """Any decode head, with class maps corrected by the full-size image.

    A branch of few channels reads the image at full size, joins what it sees with a map of the
    network and adds class maps of its own to those of the classifier, which are resized to the
    branch's. It starts at zero, as the network that it wraps. All else is the wrapped head's, its
    losses included: only the output of its classifier is larger. The backbone must be a
    :class:`LowResBackbone`, a neck be wrapped by :class:`LowResNeck`.

    A checkpoint of the plain model loads into it. ``decode_head.branch`` is what ``paramwise_cfg``
    calls the new weights.

    Args:
        head: Config of a decode head, or of the last one of a cascade, that classifies by the
            convolution ``conv_seg``.
        in_index: Map of the backbone or neck that the branch reads. Default: None, the features
            that the classifier reads.
        in_channels: Width of that map; only with ``in_index``.
        image_channels: Channels of the image. Default: 3.
        **branch: ``channels``, ``stem``, ``stride``, ``num_blocks``, ``separable`` and ``subpixel``
            of :class:`GuidedBranch`.

    Raises:
        TypeError: ``head`` is not the config of one head, or has no classifier to add to.
        ValueError: ``in_index`` without ``in_channels``, or the reverse; or an argument out of
            range.
    """

    def __init__(
        self,
        head: dict,
        in_index: int | None = None,
        in_channels: int | None = None,
        image_channels: int = 3,
        **branch,
    ) -> None:
        super().__init__()
        if not isinstance(head, dict):
            raise TypeError(
                'GuidedHead: head must be the config of one decode head, got '
                f'{type(head).__name__}; of a cascade wrap the last one'
            )
        if (in_index is None) != (in_channels is None):
            raise ValueError(
                'GuidedHead: in_index and in_channels are the index and the '
                f'width of one map, got {in_index} and {in_channels}'
            )
        self.head = MODELS.build(head)
        classifier = getattr(self.head, 'conv_seg', None)
        if not isinstance(classifier, nn.Conv2d) or isinstance(self.head, DualSuperResolution):
            raise TypeError(
                f'GuidedHead: {type(self.head).__name__} has no convolution '
                'conv_seg whose class maps are those of the small image, so '
                'nothing can be added to them; wrap the plain head'
            )
        for key in ('align_corners', 'num_classes', 'out_channels', 'ignore_index', 'threshold'):
            setattr(self, key, getattr(self.head, key))
        self.in_index = in_index
        self.in_channels = in_channels or classifier.in_channels
        self.branch = GuidedBranch(
            image_channels,
            self.in_channels,
            self.out_channels,
            norm_cfg=self.head.norm_cfg or dict(type='BN'),
            **branch,
        )
        classifier.register_forward_hook(self._add_branch)
        self._inputs = None  # of the pass that is running
        self._added = False

    @property
    def predictor(self) -> nn.Module:
        """The wrapped head, whose methods make predictions and losses."""
        return self.head

    def forward(self, inputs: tuple[Tensor], *args) -> Any:
        """Run ``forward`` of the wrapped head.

        Args:
            inputs: Maps ``(N, C_i, H_i, W_i)`` of a reduced image, as :class:`LowResBackbone`
                returns them.
            *args: In a cascade, the output of the head before.

        Returns:
            What the wrapped head does, usually logits ``(N, num_classes, H, W)``, here at
            ``subpixel / stride`` of the full size.

        Raises:
            TypeError: There is no full-size image beside ``inputs``, or the wrapped head does not
                run its classifier.
            ValueError: The image is too small, or the map has another width.
        """
        return self._guided(self.head.forward, inputs, *args)

    def loss(self, inputs: tuple[Tensor], *args) -> dict[str, Tensor]:
        """Compute the losses of the wrapped head; arguments as of its ``loss``."""
        return self._guided(self.head.loss, inputs, *args)

    def predict(self, inputs: tuple[Tensor], *args) -> Tensor:
        """Return logits at the image's size, as ``predict`` of the wrapped head."""
        return self._guided(self.head.predict, inputs, *args)

    def _guided(self, run: Callable, inputs: tuple[Tensor], *args) -> Any:
        if getattr(inputs, 'image', None) is None:
            raise TypeError(
                'GuidedHead: there is no full-size image beside the maps; use '
                "backbone=dict(type='mmhires.LowResBackbone', backbone=...) and, with a neck, "
                "neck=dict(type='mmhires.LowResNeck', neck=...)"
            )
        self._inputs, self._added = inputs, False
        try:
            output = run(inputs, *args)
        finally:
            self._inputs = None
        if not self._added:
            raise TypeError(
                f'GuidedHead: {type(self.head).__name__} does not run its '
                'conv_seg, so nothing was added to its class maps'
            )
        return output

    def _add_branch(self, classifier: nn.Module, args: tuple[Tensor], logits: Tensor) -> Tensor:
        """Enlarge the class maps and add the branch's, as a forward hook."""
        feat, inputs = args[0], self._inputs
        if self.in_index is not None:
            feat = inputs[self.in_index]
        if feat.shape[1] != self.in_channels:
            raise ValueError(
                f'GuidedHead(in_index={self.in_index}, in_channels='
                f'{self.in_channels}): that map is {feat.shape[1]} wide'
            )
        residual = self.branch(inputs.image, feat)
        self._added = True
        return residual + resize_to(logits, residual.shape[-2:], self.align_corners)

    def _load_from_state_dict(self, state_dict: dict, prefix: str, *args, **kwargs) -> None:
        read_as_wrapped(self, 'head', state_dict, prefix)
        super()._load_from_state_dict(state_dict, prefix, *args, **kwargs)


class GuidedBranch(nn.Module):
    """Class maps from a full-size image and a map of a network.

    Args:
        image_channels: Channels of the image.
        in_channels: Width of the map.
        out_channels: Number of class maps.
        channels: Width of the branch. Default: 16.
        stem: How the image is read. ``'patch'``: one convolution of kernel and stride ``stride``,
            which is pixel-unshuffle and 1x1. ``'conv'``: convolutions of 3x3 with stride 2.
            Default: ``'patch'``.
        stride: Image : maps of the branch, 2, 4 or 8. Default: 4.
        num_blocks: Convolutions of 3x3 behind it. Default: 1.
        separable: Whether these are depthwise separable. Default: False.
        subpixel: By how much a sub-pixel convolution enlarges the class maps. Default: 1.
        norm_cfg: Normalisation. Default: BN.

    Raises:
        ValueError: An argument out of range.
    """

    def __init__(
        self,
        image_channels: int,
        in_channels: int,
        out_channels: int,
        channels: int = 16,
        stem: str = 'patch',
        stride: int = 4,
        num_blocks: int = 1,
        separable: bool = False,
        subpixel: int = 1,
        norm_cfg: dict = dict(type='BN'),
    ) -> None:
        super().__init__()
        if stem not in ('patch', 'conv') or stride not in (2, 4, 8):
            raise ValueError(
                "GuidedHead: stem must be 'patch' or 'conv' and "
                f'stride 2, 4 or 8, got {stem!r} and {stride!r}'
            )
        if min(channels, subpixel, num_blocks + 1) < 1:
            raise ValueError(
                'GuidedHead: channels and subpixel must be at least 1 and '
                f'num_blocks 0, got {channels}, {subpixel} and {num_blocks}'
            )
        self.stride, self.subpixel = stride, subpixel
        cfg = dict(norm_cfg=norm_cfg)
        if stem == 'patch':
            self.stem = ConvModule(image_channels, channels, stride, stride, act_cfg=None, **cfg)
        else:
            # The first maps are the largest: half as many.
            widths = [channels] * (stride.bit_length() - 1)
            widths[0] = channels if stride == 2 else max(1, channels // 2)
            self.stem = nn.Sequential(
                *(
                    ConvModule(before, width, 3, 2, 1, **cfg)
                    for before, width in zip([image_channels, *widths], widths)
                )
            )
        self.project = ConvModule(in_channels, channels, 1, act_cfg=None, **cfg)
        block = DepthwiseSeparableConvModule if separable else ConvModule
        self.blocks = nn.Sequential(
            *(block(channels, channels, 3, padding=1, **cfg) for _ in range(num_blocks))
        )
        self.classify = nn.Conv2d(channels, out_channels * subpixel**2, 1)
        nn.init.zeros_(self.classify.weight)
        nn.init.zeros_(self.classify.bias)

    def forward(self, image: Tensor, feat: Tensor) -> Tensor:
        """Compute class maps from the image and a map of the network.

        Args:
            image: ``(N, image_channels, H, W)``.
            feat: ``(N, in_channels, h, w)``.

        Returns:
            ``(N, out_channels, subpixel * H / stride, subpixel * W / stride)``, sides divided and
            rounded up.

        Raises:
            ValueError: A side of the image is smaller than ``stride``.
        """
        if min(image.shape[-2:]) < self.stride:
            raise ValueError(
                f'GuidedHead: an image of {tuple(image.shape[-2:])} pixels is '
                f'smaller than the stride of the branch, {self.stride}'
            )
        seen = self.stem(image)
        x = F.relu(seen + resize_to(self.project(feat), seen.shape[-2:]))
        x = self.classify(self.blocks(x))
        return F.pixel_shuffle(x, self.subpixel)

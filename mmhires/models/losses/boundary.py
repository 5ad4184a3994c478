# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""More weight for pixels near class boundaries."""

import inspect
import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from mmseg.models.losses import CrossEntropyLoss
from torch import Tensor, nn

from mmhires.registry import MODELS

from .labels import checked_label


def boundary_mask(label: Tensor, radius: int, ignore_index: int = 255) -> Tensor:
    """Return pixels that have another class within ``radius``.

    Ignored pixels are not in the boundary and make none, nor does the border of the image. Found by
    maximum and minimum pooling, on the device of the labels.

    Args:
        label: Class of each pixel ``(N, H, W)``.
        radius: Chessboard distance in pixels, at least 0. Nothing is boundary at 0.
        ignore_index: Label without a class. Default: 255.

    Returns:
        ``(N, H, W)``, bool.
    """
    # Of uint8, -1 and 256 would be taken for 255 and 0.
    label = label.long()
    return differing(label, label != ignore_index, radius)


def differing(label: Tensor, valid: Tensor, radius: int) -> Tensor:
    """Return valid pixels that have a valid one of another class near.

    Args:
        label: Class of each pixel ``(N, H, W)``, of any value.
        valid: Which pixels have a class ``(N, H, W)``, bool.
        radius: As of :func:`boundary_mask`.

    Returns:
        ``(N, H, W)``, bool.
    """
    classes, side = label.float(), 2 * radius + 1
    # Two channels: the highest class around, and minus the lowest.
    signed = torch.stack([classes, -classes], 1)
    signed = signed.masked_fill(~valid[:, None], -math.inf)
    signed = F.pad(signed, [radius] * 4, value=-math.inf)
    for dim in (2, 3):
        signed = _sliding_maximum(signed, side, dim)
    return (signed[:, 0] != -signed[:, 1]) & valid


def _sliding_maximum(x: Tensor, window: int, dim: int) -> Tensor:
    """Compute the maximum of each window in passes that double its width."""
    width = 1
    while width < window:
        step = min(width, window - width)
        size = x.size(dim) - step
        x = torch.maximum(x.narrow(dim, 0, size), x.narrow(dim, step, size))
        width += step
    return x


# Losses whose value is not a sum over pixels, each with a weight.
_REFUSED = dict.fromkeys(
    (
        'BoundaryLoss',
        'ChannelWiseDistillLoss',
        'DiceLoss',
        'FALoss',
        'HuasdorffDisstanceLoss',
        'KLDivLoss',
        'LovaszLoss',
        'SiLogLoss',
        'TverskyLoss',
    ),
    'is not a sum of a term for each pixel',
)
_REFUSED['FocalLoss'] = 'takes no weight of the shape of the labels'
_REFUSED['BoundaryReweightedLoss'] = 'weights the boundaries already'


@MODELS.register_module()
class BoundaryReweightedLoss(nn.Module):
    """Cross-entropy or another pixel loss, with weighted boundaries.

    Equation 11 of `High Resolution Feature Recovering for Accelerating Urban Scene Parsing
    <https://www.ijcai.org/proceedings/2018/161>`_: each pixel's loss counts ``gamma[0]`` times in
    the boundary region and ``gamma[1]`` times elsewhere. It wraps what is a sum over pixels,
    upstream's ``CrossEntropyLoss`` and ``OhemCrossEntropy`` and those of this package, and goes
    wherever that goes, in ``loss_decode`` of any decode head for instance:

    .. code:: python

        loss_decode=dict(
            type='mmhires.BoundaryReweightedLoss',
            loss=dict(type='CrossEntropyLoss'))

    The weights reach the wrapped loss as its ``weight``, times the one that a pixel sampler gives,
    and are averaged as that loss does: upstream's ``CrossEntropyLoss`` divides by the number of
    pixels, equation 11 over its number of terms, :class:`WeightedCrossEntropyLoss` by the sum of
    all weights. A loss that takes no ``weight`` (upstream's ``OhemCrossEntropy``) is computed in
    either region alone, the labels of the other one ignored, and both are added by their share of
    the labelled pixels; on a GPU that waits for the device. Class weights of upstream's
    ``CrossEntropyLoss`` work beside ignored labels here.

    Args:
        loss: Config of a loss of logits ``(N, C, H, W)`` or, with ``label`` given to
            :meth:`forward`, of features.
        radius: r, at least 0: how far from a pixel of another class the boundary region reaches, in
            pixels of the labels; the paper does not say whether of those or of features. Default:
            5.
        gamma: Weights in the region and elsewhere, not negative. Default: (2, 1).

    Raises:
        ValueError: ``radius`` or ``gamma`` out of range or such that no pixel counts, or a ``loss``
            that a weight of each pixel has no place in.
    """

    def __init__(self, loss: dict, radius: int = 5, gamma: Sequence[float] = (2.0, 1.0)) -> None:
        super().__init__()
        if not isinstance(radius, int) or radius < 0:
            raise ValueError(
                'BoundaryReweightedLoss: radius must be a whole '
                f'number of pixels, at least 0, got {radius!r}'
            )
        if len(gamma) != 2 or min(gamma) < 0:
            raise ValueError(
                'BoundaryReweightedLoss: gamma must be two weights of at '
                f'least 0, at the boundary and elsewhere, got {gamma!r}'
            )
        if not any(gamma[radius == 0 :]):
            raise ValueError(
                f'BoundaryReweightedLoss: radius={radius} with gamma={gamma!r} gives every pixel a '
                'weight of 0: the loss would be 0 at every step'
            )
        self.loss = MODELS.build(loss)
        name = type(self.loss).__name__
        # A loss that inherits from a refused one is refused for the same.
        reason = next(
            (
                _REFUSED[kind.__name__]
                for kind in type(self.loss).__mro__
                if kind.__name__ in _REFUSED
            ),
            None,
        )
        if getattr(self.loss, 'use_mask', False):
            reason = 'with use_mask=True is a loss of masks'
        if reason:
            raise ValueError(
                f'BoundaryReweightedLoss: {name} {reason}; wrap a loss of '
                'pixels (CrossEntropyLoss, OhemCrossEntropy, LogitDistillLoss,'
                ' FeatureL2Loss), and list this one beside it'
            )
        self.loss_name = self.loss.loss_name
        self.radius = radius
        self.gamma = tuple(gamma)
        self._accepts = set(inspect.signature(self.loss.forward).parameters)

    def forward(
        self,
        pred: Tensor,
        target: Tensor,
        weight: Tensor | None = None,
        ignore_index: int = 255,
        label: Tensor | None = None,
        inside: Tensor | None = None,
        **kwargs,
    ) -> Tensor:
        """Compute the loss.

        Args:
            pred: First argument of the wrapped loss.
            target: Its second: the labels, or features to match.
            weight: Weight of each pixel ``(N, H, W)``. Default: None.
            ignore_index: Label that counts nowhere. Default: 255.
            label: Class of each pixel ``(N, H, W)``. Default: None, ``target``.
            inside: Pixels ``(N, H, W)`` of images, bool, for a wrapped loss that takes it. Default:
                None, all.
            **kwargs: For the wrapped loss.

        Returns:
            What the wrapped loss returns.

        Raises:
            TypeError: A ``weight`` for a loss that takes none, or labels that are not integers.
            ValueError: On a CPU, a label that is none of the classes.
        """
        if label is None:
            # One logit may stand for two classes.
            classes = pred.shape[1] if pred.shape[1] > 1 else None
            label = target = checked_label(self, target, classes, ignore_index)
        else:
            label = checked_label(self, label, None, ignore_index)
        if 'ignore_index' in self._accepts:
            kwargs['ignore_index'] = ignore_index
        if 'inside' in self._accepts:
            kwargs['inside'] = inside
        boundary = boundary_mask(label, self.radius, ignore_index)
        if 'weight' not in self._accepts:
            if label is not target:
                raise TypeError(
                    f'BoundaryReweightedLoss: {type(self.loss).__name__} compares maps and takes '
                    'no weight of each pixel; remove the BoundaryReweightedLoss round it'
                )
            if weight is not None:
                raise TypeError(
                    f'BoundaryReweightedLoss: {type(self.loss).__name__} '
                    'takes no weight of each pixel; remove the pixel sampler'
                )
            return self._by_region(pred, label, boundary, ignore_index, kwargs)
        dtype = torch.promote_types(pred.dtype, torch.float32)
        gamma = pred.new_full(label.shape, self.gamma[1], dtype=dtype)
        gamma = gamma.masked_fill(boundary, self.gamma[0])
        if self._needs_avg_factor(kwargs):
            class_weight = gamma.new_tensor(self.loss.class_weight)
            counted = label != ignore_index
            kwargs['avg_factor'] = (class_weight[label.where(counted, 0)] * counted).sum()
        weight = gamma if weight is None else gamma * weight
        return self.loss(pred, target, weight=weight, **kwargs)

    def _by_region(
        self, pred: Tensor, label: Tensor, boundary: Tensor, ignore_index: int, kwargs: dict
    ) -> Tensor:
        ignored = getattr(self.loss, 'ignore_label', ignore_index)
        counted = label != ignore_index
        total = 0 * pred.sum()  # has a gradient where nothing is labelled
        for gamma, region in zip(self.gamma, (boundary, ~boundary)):
            region = region & counted
            if region.any():
                share = region.sum() / counted.sum()
                total = total + gamma * share * self.loss(
                    pred, label.masked_fill(~region, ignored), **kwargs
                )
        return total

    def _needs_avg_factor(self, kwargs: dict) -> bool:
        """Return whether upstream would look up class weights by ignored labels."""
        loss = self.loss
        return (
            isinstance(loss, CrossEntropyLoss)
            and loss.class_weight is not None
            and not (loss.use_sigmoid or loss.use_mask)
            and loss.reduction == 'mean'
            and not kwargs.get('reduction_override')
            and kwargs.get('avg_factor') is None
        )

# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""3x3 convolutions with a quarter of the multiplications, for CPUs."""
import functools

import torch
from torch import Tensor, nn

# Below this width the transforms cost what the multiplications save.
MIN_CHANNELS = 64
# Tiles at a time: their transforms should stay in a processor's cache.
TILES = 128
# F(4x4, 3x3) of Lavin and Gray: of input, weights and output.
_INPUT = ((4, 0, -5, 0, 1, 0), (0, -4, -4, 1, 1, 0), (0, 4, -4, -1, 1, 0),
          (0, -2, -1, 2, 1, 0), (0, 2, -1, -2, 1, 0), (0, 4, 0, -5, 0, 1))
_WEIGHT = ((1 / 4, 0, 0), (-1 / 6, -1 / 6, -1 / 6), (-1 / 6, 1 / 6, -1 / 6),
           (1 / 24, 1 / 12, 1 / 6), (1 / 24, -1 / 12, 1 / 6), (0, 0, 1))
_OUTPUT = ((1, 1, 1, 1, 1, 0), (0, 1, -1, 2, -2, 0), (0, 1, 1, 4, 4, 0),
           (0, 1, -1, 8, -8, 1))


def use_winograd(model: nn.Module) -> nn.Module:
    """Have wide 3x3 convolutions computed by Winograd's method, in place.

    `Fast Algorithms for Convolutional Neural Networks
    <https://arxiv.org/abs/1509.09308>`_, F(4x4, 3x3): tiles of 6x6 inputs and
    the weights are transformed, multiplied as 36 matrices and transformed back
    to 4x4 outputs, 36 multiplications instead of 144. Results differ by about
    1e-5 of their size in float32, ten times as much as those of two direct
    convolutions do. It is for float32 on a CPU, whose libraries convolve
    directly; lower precisions lose too much.

    Args:
        model (nn.Module): In its inference form. Convolutions of kernel 3,
            stride 1, padding 1, one group and at least 64 channels on both
            sides are replaced, by modules without gradients.

    Returns:
        nn.Module: The same model.
    """
    for module in list(model.modules()):
        for name, child in module.named_children():
            if _fits(child):
                setattr(module, name, _WinogradConv(child))
    return model


def _fits(conv: nn.Module) -> bool:
    shape = ((3, 3), (1, 1), (1, 1), (1, 1), 1, 'zeros')
    return type(conv) is nn.Conv2d and shape == (
        conv.kernel_size, conv.stride, conv.padding, conv.dilation,
        conv.groups, conv.padding_mode) and min(
            conv.in_channels, conv.out_channels) >= MIN_CHANNELS


class _WinogradConv(nn.Module):
    """The convolution where tiles cover the map exactly, and as it was else.
    """

    def __init__(self, conv: nn.Conv2d) -> None:
        super().__init__()
        self.conv = conv
        g = torch.tensor(_WEIGHT, dtype=torch.float64)
        weight = torch.einsum('ai,bj,kcij->abck', g, g,
                              conv.weight.double()).flatten(0, 1)
        bias = conv.weight.new_zeros(
            conv.out_channels) if conv.bias is None else conv.bias
        for name, value in dict(
                weight=weight, bias=bias, to_tiles=torch.tensor(_INPUT),
                to_map=torch.tensor(_OUTPUT)).items():
            self.register_buffer(
                name, value.detach().to(conv.weight).contiguous())

    def forward(self, x: Tensor) -> Tensor:
        """``(N, C, H, W)`` to ``(N, K, H, W)``, channels last."""
        height, width = x.shape[2:]
        if len(x) > 1 or height % 4 or width % 4:
            return self.conv(x)
        strips = [
            n for n in range(1, height // 4 + 1)
            if height // 4 % n == 0 and n * width // 4 <= TILES
        ]
        return _scripted()(x, self.weight, self.bias, self.to_tiles,
                           self.to_map, max(strips, default=1))


def _convolve(x: Tensor, weight: Tensor, bias: Tensor, to_tiles: Tensor,
              to_map: Tensor, strips: int) -> Tensor:
    """Convolve ``strips`` rows of tiles at a time, one image."""
    channels, height, width = x.shape[1:]
    count, across = weight.shape[2], width // 4
    tiles = strips * across
    image = x.permute(0, 2, 3, 1).contiguous().view(height, width * channels)
    out = x.new_empty((height, width, count))
    # Made once: fresh memory for each step would cost as much as the step.
    rows = x.new_empty((6, across, 4, channels))
    windows = x.new_zeros((6, 6, strips, across, channels))  # padded
    spread = x.new_empty((6, 6, tiles * channels))
    product = x.new_empty((36, tiles, count))
    half = x.new_empty((4, 6, tiles * count))
    whole = x.new_empty((4, 4, tiles * count))
    for start in range(0, height, 4 * strips):
        for strip in range(strips):
            # Rows outside the map are zeros, which need no multiplication.
            first = start + 4 * strip - 1
            top, bottom = max(first, 0), min(first + 6, height)
            torch.mm(
                to_tiles[:, top - first:bottom - first],
                image[top:bottom],
                out=rows.view(6, -1))
            windows[:, 1:5, strip] = rows.transpose(1, 2)
            windows[:, 0, strip, 1:] = rows[:, :-1, 3]
            windows[:, 5, strip, :-1] = rows[:, 1:, 0]
        torch.bmm(
            to_tiles.expand(6, 6, 6), windows.view(6, 6, -1), out=spread)
        torch.bmm(spread.view(36, tiles, channels), weight, out=product)
        torch.mm(to_map, product.view(6, -1), out=half.view(4, -1))
        torch.bmm(to_map.expand(4, 4, 6), half, out=whole)
        torch.add(
            whole.view(4, 4, strips, across, count).permute(2, 0, 3, 1, 4),
            bias,
            out=out[start:start + 4 * strips].view(strips, 4, across, 4,
                                                   count))
    return out.unsqueeze(0).permute(0, 3, 1, 2)


@functools.cache
def _scripted():
    """The loop as one operation of a traced network."""
    return torch.jit.script(_convolve)

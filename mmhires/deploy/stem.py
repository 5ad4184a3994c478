# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""The first layers of a network, some rows at a time."""
from torch import Tensor, nn

_POINTWISE = (nn.ReLU, nn.ReLU6, nn.SiLU, nn.Hardswish, nn.Identity)


def split_stem(backbone: nn.Module, rows: int = 128) -> nn.Module:
    """Have a backbone compute its stem strip by strip, in place.

    The stem's maps are the largest of a network and nothing else reads them,
    so each strip may go through all of its layers before the next one starts:
    they stay in a processor's cache, and most of the memory that a network
    takes at once is not taken. Neighbouring strips overlap, so that the
    results are those of the whole.

    Args:
        backbone (nn.Module): In its inference form. It changes where its
            ``stem`` is an ``nn.Sequential`` of padded convolutions and of
            activations, as DDRNet's and that of a ResNetV1c are.
        rows (int): Rows of the image in a strip. Default: 128.

    Returns:
        nn.Module: The same backbone.
    """
    stem = getattr(backbone, 'stem', None)
    if isinstance(stem, nn.Sequential):
        layers = [m for m in stem.modules() if not list(m.children())]
        if all(isinstance(m, _POINTWISE) or _keeps_grid(m) for m in layers):
            convs = [m for m in layers if isinstance(m, nn.Conv2d)]
            backbone.stem = _InRows(stem, convs, rows)
    return backbone


def _keeps_grid(layer: nn.Module) -> bool:
    """Output row i is centred on input row ``stride * i``."""
    return isinstance(layer, nn.Conv2d) and layer.padding_mode == 'zeros' \
        and layer.kernel_size[0] % 2 == 1 and layer.padding[0] == \
        layer.dilation[0] * (layer.kernel_size[0] // 2)


class _InRows(nn.Module):

    def __init__(self, stem: nn.Sequential, convs: list[nn.Conv2d],
                 rows: int) -> None:
        super().__init__()
        self.stem = stem
        self.stride, reach = 1, 0
        for conv in convs:
            reach += self.stride * conv.padding[0]
            self.stride *= conv.stride[0]
        # Output rows that see the edge of a strip, on either side.
        self.margin = -(-reach // self.stride)
        self.rows = -(-rows // self.stride)

    def forward(self, x: Tensor) -> Tensor:
        height = -(-x.shape[2] // self.stride)
        out = None
        for start in range(0, height, self.rows):
            first = max(start - self.margin, 0)
            last = start + self.rows + self.margin
            strip = self.stem(
                x[:, :, first * self.stride:last * self.stride])
            strip = strip[:, :, start - first:start - first + self.rows]
            if out is None:
                n, channels, _, width = strip.shape
                out = strip.new_empty(
                    (n, height, width, channels)).permute(0, 3, 1, 2)
            out[:, :, start:start + self.rows] = strip
        return out

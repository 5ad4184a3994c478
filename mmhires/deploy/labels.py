# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""From small logits to full-size labels, without full-size logits."""
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor


def labels(logits: Tensor,
           size: Sequence[int],
           padding: Sequence[int] = (0, 0, 0, 0),
           out_size: Sequence[int] | None = None,
           align_corners: bool = False,
           threshold: float | None = None,
           rows: int = 8) -> Tensor:
    """Resize logits and take the class of each pixel, some rows at a time.

    What MMSegmentation's head and post-processing do one after the other
    (bilinear resize to the network's input, padding off, bilinear resize to
    the image, argmax), at a fraction of the time and memory: the resize is
    separable, so the small map is widened once and each output row is a sum
    of few of its rows. Logits that differ by less than ``2^-22 C`` of their
    value, of C classes, may count as equal.

    Args:
        logits (Tensor): ``(N, C, h, w)``.
        size (Sequence[int]): Height and width of the first resize.
        padding (Sequence[int]): Pixels of it to cut off: left, right, top,
            bottom. Default: none.
        out_size (Sequence[int], optional): Height and width of the second
            resize. Default: what is left after cutting.
        align_corners (bool): Of both resizes. Default: False.
        threshold (float, optional): Probability above which the class of a
            single channel is 1. Needed where C is 1, unused elsewhere.
        rows (int): Rows at a time; they should stay in a processor's cache.
            Default: 8.

    Returns:
        Tensor: Classes ``(N, H, W)``, uint8, or int32 of more than 256.

    Raises:
        ValueError: ``padding`` leaves nothing, or a single channel comes
            without ``threshold``.
    """
    left, right, top, bottom = padding
    inner = (size[0] - top - bottom, size[1] - left - right)
    if min(inner) < 1:
        raise ValueError(f'labels: padding {tuple(padding)} leaves nothing of '
                         f'{tuple(size)} pixels')
    classes = logits.shape[1]
    if classes == 1 and threshold is None:
        raise ValueError('labels: logits of one channel need a threshold')
    height, width = out_size or inner
    logits = logits.float()

    def resize(x: Tensor, axis: int) -> Tensor:
        """Both resizes along one axis, the last but one or the last."""
        last = (height, width)[axis]
        cut = ((top, left)[axis], inner[axis])
        for pixels, (start, kept) in ((size[axis], cut), (last, (0, last))):
            if x.shape[2 + axis] != pixels:
                target = list(x.shape[2:])
                target[axis] = pixels
                x = F.interpolate(
                    x,
                    tuple(target),
                    mode='bilinear',
                    align_corners=align_corners)
            x = x.narrow(2 + axis, start, kept)
        return x

    # The weight of each source row in each row, by resizing the unit matrix.
    unit = torch.eye(logits.shape[2], device=logits.device)
    weights = resize(unit[None, :, :, None], 0)[0, :, :, 0].T
    wide = resize(logits, 1).transpose(1, 2).flatten(2).contiguous()

    dtype = torch.uint8 if classes <= 256 else torch.int32
    out = torch.empty((len(logits), height, width),
                      dtype=dtype,
                      device=logits.device)
    buffer = wide.new_empty((rows, classes * width))
    pick = _Pick(classes, threshold, logits.device)
    for start in range(0, height, rows):
        part = weights[start:start + rows]
        used = part.any(0).nonzero()
        near = slice(int(used[0]), int(used[-1]) + 1)
        mix, tile = part[:, near].contiguous(), buffer[:len(part)]
        for source, target in zip(wide, out):
            torch.mm(mix, source[near], out=tile)
            target[start:start + rows] = pick(
                tile.view(len(part), classes, width))
    return out


class _Pick:
    """Class of the greatest logit, in the place of the logits.

    PyTorch's argmax goes through the classes one number at a time; its amax
    does not. So the number of the class is written into the last bits of each
    logit, and read off the greatest.
    """

    def __init__(self, classes: int, threshold: float | None,
                 device: torch.device) -> None:
        self.limit = None
        if classes == 1:
            self.limit = float(torch.tensor(threshold).logit())
        self.mask = 2**(classes - 1).bit_length() - 1
        # Reversed: of equal logits the first class has the greatest bits.
        self.code = torch.arange(
            self.mask, self.mask - classes, -1, dtype=torch.int32,
            device=device)[:, None]

    def __call__(self, tile: Tensor) -> Tensor:
        if self.limit is not None:
            return tile[:, 0] > self.limit
        tile.view(torch.int32).bitwise_and_(~self.mask).bitwise_or_(self.code)
        best = tile.amax(1).view(torch.int32)
        return best.bitwise_and_(self.mask).neg_().add_(self.mask)

# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""What goes in, and what may come out: shared by all recipes."""

import re
import warnings
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass

import numpy as np
import torch
from hypothesis import strategies as st
from torch.utils._python_dispatch import TorchDispatchMode

from mmhires.utils import bf16_convolution

ORDINARY, ONE_PIXEL, EMPTY = 'ordinary', 'one-pixel', 'empty-batch'
DTYPE, NAN = 'dtype', 'nan'
IGNORED, BAD_LABEL = 'all-ignored', 'bad-label'
BAD_FILE, BAD_SETTING = 'bad-file', 'bad-setting'

SHAPES = (ORDINARY, ONE_PIXEL, EMPTY, DTYPE, NAN)
LABELS = (*SHAPES, IGNORED, BAD_LABEL)

IGNORE = 255
NUM_CLASSES = 5

# What an error has to speak of; None: there is no reason to refuse.
CAUSES = {
    ORDINARY: None,
    IGNORED: r'labelled pixel',
    ONE_PIXEL: r'more than 1 value per channel|\bmin_size\b|exceeds|shape|one pixel|'
    r'\) pixels|labelled pixel',
    EMPTY: r'empty|none of the 0',
    # Of the types that are drawn, those which upstream or autocast cannot mix:
    # maps in float16 and float64 with weights in float32, and short labels.
    DTYPE: r'Half|[dD]ouble|must share same datatype|Byte|\bInt\b',
    NAN: r'finite|nan',
    BAD_LABEL: r'label.*\d|Target -?\d+ is out of bounds',
    BAD_FILE: r'sample\d',
    BAD_SETTING: r'must be|no |needs',
}
# Nothing sensible can come of these, so that a result is a mistake.
HOPELESS = {BAD_LABEL, BAD_FILE, BAD_SETTING}


@dataclass
class Recipe:
    """How to put a component to the test.

    Attributes:
        case: Draws one input of a kind and returns what is to be run on it.
        kinds: The kinds of input it can be given.
        examples: Number of cases of each kind.
        refuses: Kinds that this one has to answer with an error.
        needs: Packages without which it cannot be used.
    """

    case: Callable
    kinds: tuple[str, ...] = SHAPES
    examples: int = 10
    refuses: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()


def judge(kind: str, run: Callable, refuses: tuple = ()) -> None:
    """A finite result, or an error that names the cause.

    What is not finite on the way in must show on the way out. A case in which
    this processor computes a bf16 convolution wrongly says nothing of ours.
    """
    narrow = NarrowConvolutions() if kind == DTYPE else nullcontext()
    try:
        with narrow:
            result = run()
    except Exception as error:
        cause = CAUSES[kind]
        if cause is None or not re.search(cause, str(error), re.DOTALL):
            raise
        return
    if kind == DTYPE and narrow.found:
        warnings.warn(
            'a case is left out, as bf16 convolutions are ' + bf16_convolution.describe(),
            stacklevel=2,
        )
        return
    assert kind not in (*HOPELESS, *refuses), f'{kind} was accepted'
    if kind == NAN:
        assert not finite(result), 'nan went in and cannot be seen any more'
    else:
        assert finite(result), f'a silent nan of {kind} input: {result}'


class NarrowConvolutions(TorchDispatchMode):
    """Finds bf16 convolutions of maps too narrow for this processor."""

    def __init__(self):
        super().__init__()
        self.width = bf16_convolution.broken_width()
        self.found = False

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if self.width and func is torch.ops.aten.convolution.default:
            image, _, _, stride, _, _, transposed, *_ = args
            self.found |= (
                image.dtype is torch.bfloat16
                and image.shape[-1] <= self.width
                and (transposed or max(stride) > 1)
            )
        return func(*args, **(kwargs or {}))


def finite(result: object) -> bool:
    """Whether every number anywhere in a result is finite."""
    if isinstance(result, torch.Tensor):
        return bool(result.isfinite().all())
    if isinstance(result, Mapping):
        return all(map(finite, result.values()))
    if isinstance(result, (list, tuple)):
        return all(map(finite, result))
    return bool(np.isfinite(result).all())


def draw_size(draw, kind: str, largest: int = 24) -> tuple[int, int]:
    """Height and width."""
    if kind == ONE_PIXEL:
        return 1, 1
    return draw(st.integers(2, largest)), draw(st.integers(2, largest))


def draw_batch_size(draw, kind: str) -> int:
    """Number of images; one pixel of one image is the hardest."""
    if kind == EMPTY:
        return 0
    return draw(st.integers(1 if kind == ONE_PIXEL else 2, 3))


def draw_dtype(draw, kind: str) -> torch.dtype:
    """Another type than float32 where it is about types."""
    if kind != DTYPE:
        return torch.float32
    return draw(st.sampled_from([torch.float16, torch.bfloat16, torch.float64]))


def draw_tensor(draw, kind: str, shape: tuple, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    """Noise of a random size, with a nan in it where it is about nan."""
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**16)))
    x = torch.randn(shape, generator=generator) * draw(st.sampled_from([0, 1e-3, 1, 100]))
    if kind == NAN:
        bad = draw(st.sampled_from([float('nan'), float('inf')]))
        x[..., draw(st.integers(0, shape[-1] - 1))] = bad
    return x.to(dtype)


def draw_label(
    draw,
    kind: str,
    shape: tuple,
    num_classes: int = NUM_CLASSES,
    bad: tuple[int, ...] = (-100, -1, NUM_CLASSES, 100, 254),
) -> torch.Tensor:
    """Labels, a part of them ignored, of the kind asked for."""
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**16)))
    label = torch.randint(num_classes, shape, generator=generator)
    ignored = torch.rand(shape, generator=generator)
    if kind != NAN:  # which an ignored pixel may hide
        label[ignored < draw(st.sampled_from([0, 0.3, 0.9]))] = IGNORE
    if kind == IGNORED:
        label[:] = IGNORE
    if kind == BAD_LABEL:
        label.view(-1)[draw(st.integers(0, label.numel() - 1))] = draw(st.sampled_from(bad))
    if kind == DTYPE:
        label = label.to(draw(st.sampled_from([torch.int64, torch.int32, torch.uint8])))
    return label

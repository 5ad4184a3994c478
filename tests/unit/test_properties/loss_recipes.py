# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Recipes of the losses, which are cheap: many cases."""

from functools import partial

from hypothesis import strategies as st
from judging import (
    LABELS,
    NUM_CLASSES,
    ONE_PIXEL,
    SHAPES,
    Recipe,
    draw_batch_size,
    draw_dtype,
    draw_label,
    draw_size,
    draw_tensor,
)

from mmhires.registry import MODELS

WEIGHTS = [1.0, 2.0, 0.5, 3.0, 0.0]
UPSTREAM = dict(type='mmseg.CrossEntropyLoss')
OURS = dict(type='mmhires.WeightedCrossEntropyLoss')
OHEM = dict(type='mmhires.OhemCrossEntropyLoss', min_kept=4)


def value_and_gradients(loss, tensors, *args, **kwargs):
    tensors = [x.requires_grad_() for x in tensors]
    value = loss(*tensors, *args, **kwargs)
    value.backward()
    return value, [x.grad for x in tensors if x.grad is not None]


def label_loss(draw, kind, configs):
    loss = MODELS.build(draw(st.sampled_from(configs)))
    size = (draw_batch_size(draw, kind), *draw_size(draw, kind))
    logits = draw_tensor(draw, kind, (size[0], NUM_CLASSES, *size[1:]), draw_dtype(draw, kind))
    label = draw_label(draw, kind, size)
    return lambda: value_and_gradients(loss, [logits], label)


def feature_loss(draw, kind, configs, reweighted=False, least=1):
    """``least`` is the number of channels, and of pixels pooled at once."""
    loss = MODELS.build(draw(st.sampled_from(configs)))
    size, dtype = draw_size(draw, kind), draw_dtype(draw, kind)
    if kind != ONE_PIXEL:
        size = [max(least + 1, side) for side in size]
    count = draw_batch_size(draw, kind)
    shape = (count, draw(st.integers(least, 6)), *size)
    maps = [draw_tensor(draw, kind, shape, dtype) for _ in range(2)]
    options = {}
    if reweighted:
        stride = draw(st.integers(1, 4))
        options['label'] = draw_label(draw, kind, (count, *(stride * side for side in size)))
    return lambda: value_and_gradients(loss, maps, **options)


def boundary_loss(draw, kind):
    wrapped = draw(
        st.sampled_from(
            [
                UPSTREAM,
                dict(UPSTREAM, avg_non_ignore=True),
                dict(UPSTREAM, class_weight=WEIGHTS),
                OURS,
                dict(OURS, class_weight=WEIGHTS),
                OHEM,
                dict(type='mmseg.OhemCrossEntropy', min_kept=4, thres=1.0, ignore_label=255),
            ]
        )
    )
    config = dict(
        type='mmhires.BoundaryReweightedLoss', loss=wrapped, radius=draw(st.integers(0, 3))
    )
    if draw(st.booleans()) and kind != 'bad-label':
        config['loss'] = dict(type='mmhires.FeatureL2Loss')
        return feature_loss(draw, kind, [config], reweighted=True)
    return label_loss(draw, kind, [config])


LOSSES = {
    'WeightedCrossEntropyLoss': Recipe(
        partial(label_loss, configs=[OURS, dict(OURS, class_weight=WEIGHTS)]), LABELS, 60
    ),
    'OhemCrossEntropyLoss': Recipe(
        partial(
            label_loss,
            configs=[OHEM, dict(OHEM, class_weight=WEIGHTS), dict(OHEM, min_kept=10**6, thres=1.0)],
        ),
        LABELS,
        60,
    ),
    'BoundaryReweightedLoss': Recipe(boundary_loss, LABELS, 60),
    'FALoss': Recipe(
        partial(
            feature_loss,
            least=3,
            configs=[dict(type='mmhires.FALoss', subsample=subsample) for subsample in (1, 3)],
        ),
        SHAPES,
        60,
    ),
    'FeatureL2Loss': Recipe(
        partial(
            feature_loss,
            configs=[
                dict(type='mmhires.FeatureL2Loss', reduction=reduction)
                for reduction in ('mean', 'sum', 'relative')
            ],
        ),
        SHAPES,
        60,
    ),
    **{
        name: Recipe(
            partial(
                feature_loss, configs=[dict(type=f'mmhires.{name}', tau=tau) for tau in (1.0, 4.0)]
            ),
            SHAPES,
            60,
        )
        for name in ('LogitDistillLoss', 'ChannelWiseDistillLoss')
    },
}

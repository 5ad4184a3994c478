# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Test padding that breaks the ratios of feature maps in training."""

import math
from itertools import pairwise

from mmengine.dataset import pseudo_collate

from mmhires.dryrun.attempts import attempt
from mmhires.dryrun.meta_device import maps_of, shapes_only
from mmhires.models.recording import read_maps
from mmhires.utils.ratio import full_step

from ..context import Context
from ..finding import Finding, Findings
from ..trial import Trial


def findings(ctx: Context) -> Findings:
    """Compare the maps of a test image with those of training images.

    Where in training each map is a multiple of the next one and in testing not, what the decoder
    adds up is displaced. On CamVid (180x240) that costs two to three points of mIoU.
    """
    first = next(ctx.samples('test', 'val'), None)
    if ctx.task.crops or ctx.trial is None or first is None:
        return
    factor = getattr(ctx.model.data_preprocessor, 'factor', 1)
    if factor == 1:
        return
    trained = tested = []
    # Of what does not run other rules tell.
    with attempt('maps of a test image'), shapes_only():
        full, trained = _sides(ctx.trial, ctx.trial.batch, True)
        image, tested = _sides(ctx.trial, pseudo_collate([first]), False)
    if _nested(trained) and not _nested(tested):
        stride = 2 ** round(math.log2(full[0] / trained[-1][0]))
        yield Finding(
            'size',
            'model.data_preprocessor.test_cfg',
            f'a test image gets to the network as {_text(image)}, whose maps are '
            f'{", ".join(map(_text, tested))}; in training each is a multiple of the next one',
            f'add size_divisor={full_step(factor, stride)}, which is more accurate as a rule',
            'warning',
        )


def _sides(trial: Trial, batch: dict, training: bool) -> tuple[tuple, list[tuple]]:
    """Return sides of the input, and of maps that are read, finest first."""
    inputs = trial.preprocess(batch, training)['inputs']
    outputs = trial.model.extract_feat(inputs)
    maps = maps_of(outputs)
    sides = {tuple(maps[i].shape[2:]) for i in read_maps(trial.model, outputs) & maps.keys()}
    return tuple(inputs.shape[2:]), sorted(sides, reverse=True)


def _nested(sides: list[tuple]) -> bool:
    return all(finer[i] % coarser[i] == 0 for finer, coarser in pairwise(sides) for i in (0, 1))


def _text(sides: tuple) -> str:
    return 'x'.join(map(str, sides))

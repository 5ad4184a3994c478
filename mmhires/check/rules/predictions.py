# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""A prediction of test images of each size."""

from fractions import Fraction

from mmhires.utils.errors import error_line
from mmhires.utils.ratio import full_step

from ..context import LARGEST, Context, small_test
from ..finding import Finding, Findings
from ..trial import Trial

# Sides that are multiples of these suit networks of five halvings, and six.
DIVISORS = (32, 64)


def findings(ctx: Context) -> Findings:
    """Yield sizes of test images that fail, where a training step works."""
    if ctx.trial is None:
        return
    if ctx.trial.step.error is None:
        yield from _crops(ctx.trial)
        failures = [] if ctx.trial.wrong_heatmap else [*_failures(ctx.trial)]
        if failures and _confirmed(ctx, failures):
            yield from failures
    elif not ctx.training_findings and ctx.small_trial is not None:
        yield from _failures(ctx.small_trial)


def _confirmed(ctx: Context, failures: list[Finding]) -> bool:
    """Return whether what fails on the meta device fails with values."""
    if ctx.small_trial is None:
        return 'meta' not in str(failures).lower()
    return any(
        ctx.small_trial.prediction_error(small_test(test, LARGEST)) for test in ctx.trial.tests
    )


def _failures(trial: Trial) -> Findings:
    for test in trial.tests:
        error = trial.prediction_error(test)
        if error is not None:
            height, width = test['inputs'][0].shape[-2:]
            yield Finding(
                'size',
                'val_dataloader' if trial.task.crops else 'model.test_cfg',
                f'a test image of {height}x{width}: {error_line(error)}',
                _padding(trial, test),
            )


def _crops(trial: Trial) -> Findings:
    """Compare test crops of persons with the codec, which decodes any."""
    decoded = getattr(trial.task.codec(trial.model), 'input_size', None)
    for test in trial.tests:
        crop = test['data_samples'][0].metainfo.get('input_size')
        if None not in (decoded, crop) and tuple(decoded) != tuple(crop):
            yield Finding(
                'size',
                'val_dataloader',
                f'crops of {tuple(crop)} (width, height), but model.head.decoder has '
                f'input_size={tuple(decoded)}',
                'give TopdownAffine that input_size',
            )


def _padding(trial: Trial, test: dict) -> str:
    """Return the padding with which the prediction works, if any."""
    preprocessor = trial.model.data_preprocessor
    before = getattr(preprocessor, 'test_cfg', None)
    if trial.task.crops or (before or {}).get('size'):
        return ''
    factor = getattr(preprocessor, 'factor', Fraction(1))
    try:
        for divisor in DIVISORS:
            step = full_step(factor, divisor)
            preprocessor.test_cfg = dict(before or {}, size_divisor=step)
            if trial.prediction_error(test) is None:
                return f'set model.data_preprocessor.test_cfg=dict(size_divisor={step})'
    finally:
        preprocessor.test_cfg = before
    return ''

# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""The table that compares the results of several configs."""

import math
import statistics

import numpy as np

from .statistics import (
    MIN_BLOCKS,
    Difference,
    bootstrap_difference,
    informative_blocks,
    paired_difference,
)

COLUMNS = ('difference', 'over seeds', 'over blocks')


def compare_records(
    results: dict[str, list[dict]], metrics: list[str], first: str
) -> tuple[list[list[str]], list[str]]:
    """Compare each config with a baseline.

    Args:
        results: Records by config, one a seed, as ``compare_configs.py --out`` writes them.
        metrics: What to compare.
        first: The config to compare with.

    Returns:
        A row for each config, its name and, for each metric, mean and deviation, and the difference
        with its intervals over seeds and over blocks; and what there is to say of them.

    Raises:
        ValueError: A metric that no record has, several records of one seed, or no seed that a
            config shares with ``first``.
    """
    known = {key for runs in results.values() for record in runs for key in record['metrics']}
    unknown = sorted({*metrics} - known)
    if unknown:
        raise ValueError(f'--metrics {" ".join(unknown)}: none of {sorted(known)}')
    theirs = _by_seed(first, results[first])
    rows, notes = [], {}
    for name, runs in results.items():
        ours = [record for seed, record in _by_seed(name, runs).items() if seed in theirs]
        if not ours:
            raise ValueError(f'{name} and {first} have no seed in common')
        baseline = [theirs[record['seed']] for record in ours]
        row = [name]
        for metric in metrics:
            cell, note = _mean(_values(runs, metric))
            notes.update({f'{name}: {metric} {note}': None} if note else {})
            row.append(cell)
            if name == first:
                row += [''] * len(COLUMNS)
                continue
            seeds = paired_difference(_values(ours, metric), _values(baseline, metric))
            blocks, note = _over_blocks(ours, baseline, metric)
            notes.update({f'{metric} {note}': None} if note else {})
            row += [f'{seeds.mean:+.2f}', _interval(seeds), _interval(blocks) if blocks else '']
        rows.append(row)
    return rows, [*notes]


def _by_seed(name: str, runs: list[dict]) -> dict[int, dict]:
    """Group records by seed; each seed may occur once."""
    records = {record['seed']: record for record in runs}
    if len(records) < len(runs):
        raise ValueError(
            f'{name} has several records of one seed: {[record["seed"] for record in runs]}'
        )
    return records


def _values(records: list[dict], metric: str) -> list[float]:
    """Return a metric of each record, NaN where its class does not occur."""
    return [record['metrics'].get(metric, math.nan) for record in records]


def _mean(values: list[float]) -> tuple[str, str]:
    """Return mean and deviation, and a note if some values are not finite."""
    numbers = [value for value in values if math.isfinite(value)]
    note = (
        ''
        if len(numbers) == len(values)
        else (f'is a number in {len(numbers)} of {len(values)} runs; the others are left out')
    )
    spread = statistics.stdev(numbers) if len(numbers) > 1 else 0.0
    mean = statistics.mean(numbers) if numbers else math.nan
    return f'{mean:.2f} ± {spread:.2f}', note


def _interval(difference: Difference) -> str:
    if math.isnan(difference.p):  # one seed, or too few blocks
        return ''
    return f'{difference.low:+.2f} to {difference.high:+.2f}, p = {difference.p:.2g}'


def _over_blocks(runs: list, baseline: list, metric: str) -> tuple[Difference | None, str]:
    """Bootstrap a mean IoU (of all classes or a group) or a PCK.

    Returns the difference, where the metric has areas of blocks, and what there is to say of it.
    """
    first, key, classes = baseline[0], metric, None
    quantity, _, group = metric.partition('.')
    if quantity == 'mIoU' and 'areas' in first:
        key = 'areas'
        classes = (
            [first['classes'].index(name) for name in first['groups'][group]] if group else None
        )
    if key not in first:
        return None, ''
    areas = [np.array([record[key] for record in records]) for records in (runs, baseline)]
    lacking = MIN_BLOCKS - informative_blocks(*areas, classes)
    note = ''
    if lacking > 0:
        more = f'{lacking} more blocks of test images'
        if 'images' in first:
            size, blocks = first['block'], len(first[key])
            images = (lacking + blocks) * size - first['images']
            more = f'{images} more test images in blocks of {size}'
        note = (
            f'has no interval over blocks: {MIN_BLOCKS - lacking} have '
            f'its classes, {MIN_BLOCKS} are needed ({more})'
        )
    return bootstrap_difference(*areas, classes), note

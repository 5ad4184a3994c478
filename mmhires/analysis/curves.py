# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Curves of validation results over the iterations."""

import json
import logging
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import mean

from mmengine.logging import print_log

from .figures import save_figure


def draw_curves(runs: dict[str, Sequence[str]], metric: str, path: str) -> None:
    """Draw the mean over the runs of each config, and each run faintly.

    Args:
        runs: Work directories by config.
        metric: Key of a validation metric, such as ``'mIoU'``.
        path: Picture to write.

    Raises:
        ValueError: No run has measured ``metric``.
    """
    # Not at the top: it is slow to import and not needed to measure.
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 5), dpi=120, layout='tight')
    axes = figure.add_subplot(xlabel='iteration', ylabel=metric)
    for number, (name, folders) in enumerate(runs.items()):
        color, at = f'C{number}', defaultdict(list)
        for folder in folders:
            curve = read_curve(folder, metric)
            axes.plot(*zip(*curve), color=color, alpha=0.25, linewidth=1)
            for step, value in curve:
                at[step].append(value)
        steps = sorted(at)
        axes.plot(steps, [mean(at[step]) for step in steps], color=color, label=name)
    axes.grid(alpha=0.3)
    axes.legend(fontsize='small')
    save_figure(figure, path)


def read_curve(work_dir: str, metric: str) -> list[tuple[int, float]]:
    """Read iterations and values of a run's validations, also when resumed.

    Args:
        work_dir: Of the run.
        metric: Key of the metric.

    Returns:
        In the order of the iterations.

    Raises:
        ValueError: The run has not measured it.
    """
    values = {}
    for log in sorted(Path(work_dir).glob('*/vis_data/scalars.json')):
        for entry in _read_entries(log):
            # The last test of a run has no iteration of its own.
            if metric in entry and entry.get('step'):
                values[entry['step']] = entry[metric]
    if not values:
        raise ValueError(f'{work_dir}: no validation has measured {metric}')
    return sorted(values.items())


def _read_entries(log: Path) -> Iterator[dict]:
    """Read the entries of a log, without lines torn by a crash."""
    for number, line in enumerate(log.read_bytes().splitlines(), 1):
        if not line.strip():
            continue
        try:
            entry = json.loads(line.decode())
            if not isinstance(entry, dict):
                raise ValueError(f'{entry!r} is not an entry')
            yield entry
        except ValueError as error:
            text = f'{log}, line {number} is skipped, it is torn: {error}'
            print_log(text, 'current', logging.WARNING)

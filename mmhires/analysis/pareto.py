# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Plots of accuracy against cost."""

import json
import math
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from statistics import mean
from typing import TYPE_CHECKING

import numpy as np

from .figures import save_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def read_results(files: Sequence[str]) -> dict[str, dict[str, float]]:
    """Merge the results of each config.

    A file is one of

    - a list of objects, each with ``config``, a name, and any numbers, or an
      object that has this list as ``results``: what ``benchmark.py`` and
      ``get_flops.py`` write, or one written by hand,
    - an object of numbers, as ``tools/test.py`` and ``compare_configs.py``
      leave, of the config after which the folder of its folder is called
      (``work_dirs/CONFIG/RUN/FILE.json``) or of ``CONFIG`` if given as
      ``CONFIG=FILE.json``.

    What several files say of a config is averaged: the runs of several seeds.

    Args:
        files: Paths.

    Returns:
        Numbers by what they measure, by config.

    Raises:
        ValueError: A file that is neither, or not JSON.
    """
    known = defaultdict(dict)
    for file in files:
        config, _, path = file.rpartition('=')
        for entry in _entries(config, path):
            for key, value in entry.items():
                if isinstance(value, (int, float)):
                    known[entry['config']].setdefault(key, []).append(value)
    for numbers in known.values():
        numbers.update((key, mean(values)) for key, values in numbers.items())
    return known


def _entries(config: str, path: str) -> list[dict]:
    try:
        content = json.loads(Path(path).read_text())
        if isinstance(content, dict):
            name = config or Path(path).absolute().parent.parent.name
            content = content.get('results', [dict(content, config=name)])
        return [dict(entry, config=entry['config']) for entry in content]
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"{path}: expected JSON, a list of objects with 'config' and numbers, an object with "
            f"such a list as 'results', or an object of the numbers of one config; got {error!r}"
        ) from error


def choose(
    known: dict[str, dict[str, float]], cost: str, accuracy: str
) -> dict[str, tuple[float, float]]:
    """Return cost and accuracy of each config.

    Args:
        known: As of :func:`read_results`.
        cost: What to read as the cost.
        accuracy: What to read as the accuracy.

    Returns:
        Cost and accuracy by config.

    Raises:
        ValueError: A config lacks one of them.
    """
    points = {}
    for config, numbers in known.items():
        try:
            points[config] = numbers[cost], numbers[accuracy]
        except KeyError as error:
            raise ValueError(
                f'{config} has no {error}; the files say of it {sorted(numbers)}'
            ) from error
    return points


def pareto_front(points: dict[str, tuple[float, float]]) -> list[str]:
    """Return the points that are not dominated in cost and accuracy.

    Args:
        points: Cost and accuracy by name.

    Returns:
        Names, the cheapest first.
    """

    def dominates(other: tuple[float, float], point: tuple[float, float]) -> bool:
        return other[0] <= point[0] and other[1] >= point[1] and other != point

    front = (x for x in points if not any(dominates(y, points[x]) for y in points.values()))
    return sorted(front, key=points.get)


def accuracy_at(cost: float, curve: Sequence[tuple[float, float]]) -> float:
    """Read a curve at a cost, linearly in the logarithm of the cost.

    Args:
        cost: Above 0.
        curve: Costs and accuracies.

    Returns:
        Nan outside the costs of the curve.
    """
    costs, accuracies = zip(*sorted(curve))
    outside = dict(left=math.nan, right=math.nan)
    return float(np.interp(math.log(cost), np.log(costs), accuracies, **outside))


def draw_pareto(
    points: dict[str, tuple[float, float]],
    cost: str,
    accuracy: str,
    path: str,
    alone: Sequence[str] = (),
) -> None:
    """Draw the points, their names, and a line through the front.

    Args:
        points: Cost and accuracy by name.
        cost: Label of the horizontal axis, logarithmic.
        accuracy: Label of the vertical axis.
        path: Picture to write; its ending says the format.
        alone: Points that are one network at several input sizes. A line joins them, instead of the
            front, and the others have their distance from it at equal cost. Default: none.
    """
    from matplotlib.figure import Figure
    from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

    figure = Figure(figsize=(6.4, 4.2), layout='constrained')
    axes = figure.add_subplot(xscale='log', xlabel=cost, ylabel=accuracy)
    axes.grid(alpha=0.3)
    axes.plot(*zip(*points.values()), 'o', color='tab:gray')
    names = alone or [*points]
    curve = sorted(points[name] for name in names)
    if alone:
        axes.plot(*zip(*curve), 'o--', color='tab:blue', label='input size alone')
    else:
        front = zip(*map(points.get, pareto_front(points)))
        axes.plot(*front, 'o-', drawstyle='steps-post', color='tab:red', label='front')
    for name, point in points.items():
        if name in names:
            axes.annotate(name, point, (6, -10), textcoords='offset points', fontsize=9)
        else:
            _mark_at_equal_cost(axes, name, point, curve)
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(StrMethodFormatter('{x:g}'))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.margins(0.15)
    axes.legend(loc='lower right')
    save_figure(figure, path, dpi=150)


def _mark_at_equal_cost(
    axes: 'Axes', name: str, point: tuple[float, float], curve: Sequence[tuple[float, float]]
) -> None:
    """Draw the way from a curve up or down to a point of equal cost."""
    cost, accuracy = point
    base = accuracy_at(cost, curve)
    color = 'tab:red' if accuracy < base else 'tab:green'
    axes.plot([cost, cost], [base, accuracy], ':', color=color)
    axes.plot(cost, accuracy, 'o', color=color)
    text = name if math.isnan(base) else f'{name} {accuracy - base:+.1f}'
    axes.annotate(
        text, point, (-6, 2), textcoords='offset points', fontsize=9, ha='right', color=color
    )

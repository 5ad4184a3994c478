# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""What a budget costs, in words."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from mmhires.analysis import accuracy_at, bootstrap_mean_iou, standard_error, with_error

# Half of the sides is a quarter of the cost, but for a few small maps.
TOLERANCE = 1.01


def within(share: float, budget: float) -> bool:
    """Whether a share of the cost is within a budget."""
    return share <= TOLERANCE * budget


class Row(NamedTuple):
    """What was measured of a network at a size.

    Attributes:
        name: Of its input size, or of its config.
        scale: Full-size image : network input.
        size: Height and width of the network's input.
        gmacs: Of an image.
        share: Of the cost of the network as it is.
        trained: Whether it is a student.
        metrics: By name.
        areas: Of :func:`~mmhires.analysis.image_areas`.
        milliseconds: Of an image by engine.
    """

    name: str
    scale: int | float
    size: str
    gmacs: float
    share: float
    trained: bool
    metrics: dict[str, float]
    areas: dict
    milliseconds: dict[str, float]


class Answer(NamedTuple):
    """The best within a budget.

    Attributes:
        budget: Share of the cost.
        best: Without training.
        student: The best of the trained ones within the budget, if it is better.
        text: In words.
    """

    budget: float
    best: Row
    student: Row | None
    text: str


def choose_metric(rows: Sequence[Row]) -> str:
    """MIoU, or what the evaluator names first."""
    known = rows[0].metrics
    return 'mIoU' if 'mIoU' in known else next(iter(known))


def answer(rows: Sequence[Row], budget: float, metric: str) -> Answer:
    """Choose the most accurate row within a budget.

    Args:
        rows: The first one is the network as it is.
        budget: Share of its cost, which a row that is not trained reaches.
        metric: What is lost, in points.

    Returns:
        The answer.
    """
    full, cheap = rows[0], [row for row in rows if within(row.share, budget)]
    alone, trained = (
        max(
            (row for row in cheap if row.trained == kind),
            key=lambda row: row.metrics[metric],
            default=None,
        )
        for kind in (False, True)
    )
    if trained and trained.metrics[metric] <= alone.metrics[metric]:
        trained = None
    before, after = (row.metrics[metric] for row in (full, alone))
    text = (
        f'At {100 * budget:g} % of the cost you {_lose(full, alone, metric)} of {metric} '
        f'({before:.1f} to {after:.1f}): images reduced by {alone.scale:g}, {alone.size} for the '
        f'network{_faster(full, alone)}.'
    )
    if trained:
        text += (
            f' With {trained.name} you {_lose(full, trained, metric)} '
            f'({trained.metrics[metric]:.1f}){_faster(full, trained)}.'
        )
    return Answer(budget, alone, trained, text)


def lost(full: Row, row: Row, metric: str) -> tuple[float, float]:
    """Points that a row has less than another, and their standard error.

    The error is over the test images; nan where it is not known.
    """
    points = full.metrics[metric] - row.metrics[metric]
    areas = [of.areas.get('areas') for of in (full, row)]
    if metric != 'mIoU' or not all(areas):
        return points, np.nan
    drawn = np.subtract(*(bootstrap_mean_iou(np.array([of]), draws=1000) for of in areas))
    return points, standard_error(drawn[1:], len(areas[0]))


def over_size_alone(rows: Sequence[Row], row: Row, metric: str) -> float:
    """Points that a student has more than the plain sizes at its cost.

    Nan outside their costs.
    """
    curve = [(of.gmacs, of.metrics[metric]) for of in rows if not of.trained]
    return row.metrics[metric] - accuracy_at(row.gmacs, curve)


def _lose(full: Row, row: Row, metric: str) -> str:
    points, error = lost(full, row, metric)
    verb, points = ('lose', points) if points >= 0 else ('gain', -points)
    return f'{verb} {with_error(points, error)} points'


def _faster(full: Row, row: Row) -> str:
    times = [
        f'{full.milliseconds[engine] / time:.1f} times as fast in {engine}'
        for engine, time in row.milliseconds.items()
    ]
    return f'; {", ".join(times)}' if times else ''

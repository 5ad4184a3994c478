# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""The table and the page of a budget."""

import math
import os.path as osp
from pathlib import Path

import numpy as np
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from mmhires.analysis import draw_pareto, with_error
from mmhires.analysis.page import inline_svg, scene, write_page

from .answer import Row, lost, over_size_alone
from .budget import Budget

DOCS = (
    'docs/guides/budget.md',
    'docs/guides/choose.md',
    'docs/guides/adapt.md',
    'configs/dsrl/README.md',
)
SCENES = 3


def columns(budget: Budget) -> dict[str, str]:
    """Metrics to show by their keys, with short titles."""
    shown = [
        key
        for key in budget.rows[0].metrics
        if key == budget.metric or key.startswith(('mIoU.', 'mBIoU'))
    ]
    return {key: key.replace('mIoU.', '') for key in shown}


def cells(budget: Budget, row: Row) -> list[str]:
    """Cost, times and metrics of a row."""
    engines = budget.rows[0].milliseconds
    return [
        f'{100 * row.share:.0f}\xa0%',
        f'{row.gmacs:.3g}',
        *(f'{row.milliseconds[engine]:.1f}' for engine in engines),
        *(f'{row.metrics[key]:.1f}' for key in columns(budget)),
    ]


def titles(budget: Budget) -> list[str]:
    """What :func:`cells` are."""
    return ['cost', 'GMACs', *budget.rows[0].milliseconds, *columns(budget).values()]


def lost_text(budget: Budget, row: Row) -> str:
    """Points lost, and of a student what it has over size alone."""
    text = with_error(*lost(budget.rows[0], row, budget.metric))
    more = over_size_alone(budget.rows, row, budget.metric)
    if row.trained and not math.isnan(more):
        text += f' ({more:+.1f} at equal cost)'
    return text


def print_table(budget: Budget) -> None:
    """Print all rows."""
    table = Table(
        'network',
        *titles(budget),
        'lost',
        box=SIMPLE,
        padding=(0, 1, 0, 0),
        caption=f'{len(budget.indices)} test images; engines: ms of an image',
    )
    for row in budget.rows:
        table.add_row(row.name, *cells(budget, row), lost_text(budget, row))
    Console(width=max(100, Console().width)).print(table)


def write_budget_page(budget: Budget) -> str:
    """Write ``index.html``, which needs no other file.

    Returns:
        The path.
    """
    answers = budget.answers()
    best = {answer.best.name for answer in answers}
    points = {row.name: (row.gmacs, row.metrics[budget.metric]) for row in budget.rows}
    plot = osp.join(budget.out_dir, 'front.svg')
    draw_pareto(
        points, 'GMACs', budget.metric, plot, [row.name for row in budget.rows if not row.trained]
    )
    scenes = _scenes(budget, answers[-1].best.name)
    meta = budget.base.model.dataset_meta
    path = osp.join(budget.out_dir, 'index.html')
    write_page(
        path,
        Path(__file__).with_name('budget.html'),
        DOCS,
        title='What smaller images cost',
        config=Path(budget.config).stem,
        answers=[
            dict(text=answer.text, commands=budget.commands(answer.best.scale))
            for answer in answers
        ],
        columns=titles(budget),
        rows=[
            dict(
                name=row.name,
                about=_about(row),
                cells=cells(budget, row),
                lost=lost(budget.rows[0], row, budget.metric)[0],
                lost_text=lost_text(budget, row),
                marked=row.name in best,
            )
            for row in budget.rows
        ],
        metric=budget.metric,
        images=len(budget.indices),
        threads=budget.threads,
        plot=inline_svg(plot),
        scenes=scenes,
        base=budget.rows[0].name,
        chosen=answers[-1].best.name,
        classes=list(zip(meta['classes'], meta['palette'])),
    )
    return path


def _about(row: Row) -> str:
    if row.trained:
        return f'trained, sees {row.size}'
    return f'reduced by {row.scale:g}' if row.share < 1 else 'as it is'


def _scenes(budget: Budget, name: str) -> list[dict]:
    """Test images that lose most at a size, none of other than RGB."""
    candidates = {each.name: each for each in budget.candidates}
    order = range(len(budget.indices))
    areas = [
        row.areas.get('areas') for row in budget.rows if row.name in (budget.rows[0].name, name)
    ]
    if all(areas):
        hit = [np.array(of)[:, 0].sum(1) for of in (areas[0], areas[-1])]
        order = np.argsort(hit[1] - hit[0], kind='stable')
    scenes = []
    for position in order[:SCENES]:
        index, labels = budget.indices[position], {}
        for candidate in candidates.values():
            image, sample = candidate.prepare().predict(index)
            labels[candidate.name] = sample.pred_sem_seg.data[0].numpy()
        if len(image) != 3 or image.dtype != np.uint8:
            return []
        scenes.append(
            scene(
                f'test image {index}',
                image.transpose(1, 2, 0)[..., ::-1],
                sample.gt_sem_seg.data[0].numpy(),
                labels,
                budget.base.model.dataset_meta['palette'],
                budget.rows[0].name,
            )
        )
    return scenes

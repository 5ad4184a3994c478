# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
r"""Draw accuracy against cost, and mark the Pareto front.

    mmhires pareto RESULTS.json ... --cost gmacs --accuracy mIoU

Costs come from what `benchmark --out` and `flops --out` write (gmacs,
params_m, median_ms, peak_mib), accuracies from what tools/test.py and
`compare` leave in work_dirs/CONFIG/RUN/*.json; of other folders say
CONFIG=FILE.json. Several files of one config are averaged. A file by hand is

    [{"config": "ours", "gmacs": 12.3, "mIoU": 70.1}, ...]
"""

import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of :func:`run`."""
    add = parser.add_argument
    add('results', nargs='+', help='FILE.json or CONFIG=FILE.json')
    add('--cost', default='gmacs', help='key of the cost')
    add('--accuracy', default='mIoU', help='key of the accuracy')
    add('--out', default='pareto.png', help='picture to write')


def run(args: argparse.Namespace) -> None:
    """Draw the picture and print a table."""
    from rich.console import Console
    from rich.table import Table

    from mmhires.analysis import choose, draw_pareto, pareto_front, read_results
    from mmhires.utils.files import refuse_overwriting

    refuse_overwriting([args.out], args.results)
    points = choose(read_results(args.results), args.cost, args.accuracy)
    draw_pareto(points, args.cost, args.accuracy, args.out)
    front = pareto_front(points)
    table = Table('config', args.cost, args.accuracy, 'front')
    for name in sorted(points, key=points.get):
        table.add_row(
            name, *(f'{value:.4g}' for value in points[name]), 'yes' if name in front else ''
        )
    Console(width=160).print(table)

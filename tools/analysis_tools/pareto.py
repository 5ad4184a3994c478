# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
r"""Draw accuracy against cost, and mark what nothing beats in both.

    python tools/analysis_tools/pareto.py --cost gmacs --accuracy mIoU \
        --out pareto.png RESULTS.json ...

Costs come from what ``benchmark.py --out`` and ``get_flops.py --out`` write
(``gmacs``, ``params_m``, ``median_ms``, ``peak_mib``), accuracies from what
``tools/test.py`` and ``compare_configs.py`` leave in
``work_dirs/CONFIG/RUN/*.json``; of other folders say ``CONFIG=FILE.json``.
Several files of one config are averaged. A file by hand is

    [{"config": "ours", "gmacs": 12.3, "mIoU": 70.1}, ...]
"""
import argparse

from rich.console import Console
from rich.table import Table


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Draw accuracy against cost')
    parser.add_argument(
        'results', nargs='+', help='FILE.json or CONFIG=FILE.json')
    parser.add_argument('--cost', default='gmacs', help='default: gmacs')
    parser.add_argument('--accuracy', default='mIoU', help='default: mIoU')
    parser.add_argument('--out', default='pareto.png', help='picture to write')
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    # After --help, as it takes seconds.
    from mmhires.analysis import (
        choose,
        draw_pareto,
        pareto_front,
        read_results,
    )
    from mmhires.utils.files import refuse_overwriting
    try:
        refuse_overwriting([args.out], args.results)
        points = choose(read_results(args.results), args.cost, args.accuracy)
        draw_pareto(points, args.cost, args.accuracy, args.out)
    except (OSError, ValueError) as error:
        raise SystemExit(f'pareto.py: {error}') from error
    front = pareto_front(points)
    table = Table('config', args.cost, args.accuracy, 'front')
    for name in sorted(points, key=points.get):
        table.add_row(name, *(f'{value:.4g}' for value in points[name]),
                      'yes' if name in front else '')
    Console(width=160).print(table)


if __name__ == '__main__':
    main()

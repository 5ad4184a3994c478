# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
r"""Train configs with the same seeds and test their differences.

    mmhires compare BASELINE.py OURS.py --seeds 0 1 2 3 4 --jobs 2 \
        --work-dir work_dirs/study --out study.json

Every run tests its last weights. The table has the mean of what the configs'
test evaluators measure and, against the first config, the difference with its
95 % intervals: over the seeds that both have (Student's t), and over
blocks of neighbouring test images (bootstrap, of at least 12 blocks);
--baseline names another config than the first. Interrupted, the command
goes on where it was; finished runs are read back if config, options, seed and
first weights are the same, what is there of others is moved aside.

Each seed's first weights are those of the first config, as far as the others
share its layers; with --own-start each config has its own load_from.
--curves FILE.png draws what was measured in training; --from FILE.json prints
the table of an earlier --out without any run.
"""

import argparse
import json
import os.path as osp

from .options import add_configs, add_overrides, at_least, read_configs


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of :func:`run`."""
    add_configs(parser)
    add_overrides(parser)
    add = parser.add_argument
    add('--seeds', nargs='+', type=at_least(0), default=[0, 1, 2])
    add('--work-dir', default='work_dirs/compare', help='of all runs')
    add('--metrics', nargs='+', default=['mIoU'], help='columns of the table')
    add('--jobs', type=at_least(1), default=1, help='trainings at the same time')
    add('--threads', type=at_least(1), help='of PyTorch, on a CPU')
    add('--split', help='test on this instead of val, once, at the end')
    add('--block', type=at_least(1), default=15, help='neighbouring test images')
    add('--baseline', help='config to compare with (default: the first)')
    add('--own-start', action='store_true', help="the configs' load_from")
    add('--out', help='JSON to write all results to')
    add('--curves', help='picture to draw')
    add('--from', dest='results', help='JSON that --out has written')


def run(args: argparse.Namespace) -> None:
    """Train, or read finished runs, and print the table."""
    if bool(args.configs or args.model) == bool(args.results):
        raise ValueError('give configs to train, or --from')
    from mmengine.utils import mkdir_or_exist

    from mmhires.analysis import distinct_names, draw_curves
    from mmhires.analysis.study import Study
    from mmhires.utils.files import open_whole

    paths = [] if args.results else read_configs(args)
    for what, values in (('seed', args.seeds), ('config', [*map(osp.realpath, paths)])):
        twice = {value for value in values if values.count(value) > 1}
        if twice:
            # It would count as another draw.
            raise ValueError(f'{what} {twice.pop()} is given twice')
    results = read_results(args.results) if args.results else None
    study = Study(
        dict(zip(results or distinct_names(paths), paths)),
        args.seeds,
        args.work_dir,
        jobs=args.jobs,
        threads=args.threads,
        split=args.split,
        block=args.block,
        own_start=args.own_start,
        overrides=args.cfg_options,
    )
    names = [*(results or study.configs)]
    baseline = find_baseline(args.baseline, names, paths) if args.baseline else names[0]
    results = results or study.train()
    if args.out:
        mkdir_or_exist(osp.dirname(osp.abspath(args.out)))
        with open_whole(args.out) as file:
            json.dump(results, file)
    print_table(results, args.metrics, baseline)
    if args.curves:
        runs = {name: [study.run_dir(name, seed) for seed in args.seeds] for name in results}
        draw_curves(runs, args.metrics[0], args.curves)


def read_results(path: str) -> dict:
    """Read a file that ``--out`` wrote."""
    try:
        with open(path, encoding='utf-8') as file:
            return json.load(file)
    except (OSError, ValueError) as error:
        raise ValueError(f'--from {path}: {error}') from error


def find_baseline(baseline: str, names: list[str], paths: list[str]) -> str:
    """Return the name of the config that ``--baseline`` selects."""
    for name, path in zip(names, paths):
        if osp.realpath(path) == osp.realpath(baseline):
            return name
    # By the end of its path: of two files of one name the folder tells.
    wanted = f'/{osp.splitext(baseline)[0]}'
    found = [name for name in names if wanted.endswith(f'/{name}')]
    if len(found) != 1:
        raise ValueError(f'--baseline {baseline} is none of {names}')
    return found[0]


def print_table(results: dict, metrics: list[str], baseline: str) -> None:
    """Print means, differences and notes."""
    from rich.console import Console
    from rich.table import Column, Table

    from mmhires.analysis.comparison import COLUMNS, compare_records

    rows, notes = compare_records(results, metrics, baseline)
    columns = [column for metric in metrics for column in (metric, *COLUMNS)]
    table = Table(Column('config', overflow='fold'), *columns)
    for row in rows:
        table.add_row(*row)
    console = Console(width=max(160, 115 * len(metrics)))
    console.print(table)
    for note in notes:
        console.print(note, soft_wrap=True, highlight=False)

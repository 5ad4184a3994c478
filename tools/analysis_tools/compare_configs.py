# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
r"""Train configs with the same seeds and tell differences from chance.

    python tools/analysis_tools/compare_configs.py BASELINE.py OURS.py \
        --seeds 0 1 2 3 4 --jobs 2 --work-dir work_dirs/study --out study.json

Every run tests its last weights. The table has the mean of what the configs'
test evaluators measure and, against the first config, the difference with its
95 % intervals: over the seeds that both have (Student's t), and over
blocks of neighbouring test images (bootstrap); ``--baseline`` names another
config than the first. Interrupted, the command goes on where it was; finished
runs are read back.

Each seed's first weights are those of the first config, as far as the others
share its layers; with ``--own-start`` each config has its own ``load_from``.
``--curves FILE.png`` draws what was measured in training;
``--from FILE.json`` prints the table of an earlier ``--out`` without any run.
"""
import argparse
import math
import os.path as osp
import statistics
import time
from collections.abc import Iterator
from concurrent.futures import as_completed
from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np
from mmengine.config import Config, DictAction
from mmengine.fileio import dump, load
from rich.console import Console
from rich.table import Column, Table

from mmhires.utils.locks import FolderInUseError, claim_folder
from mmhires.utils.processes import process_pool

# What takes seconds to import is imported where it is used, after --help.
if TYPE_CHECKING:
    from mmhires.analysis import Difference


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description='Train configs side by side and compare')
    parser.add_argument('configs', nargs='*', help='baseline first')
    parser.add_argument('--seeds', nargs='+', type=int, default=[0, 1, 2])
    parser.add_argument('--work-dir', default='work_dirs/compare')
    parser.add_argument(
        '--metrics', nargs='+', default=['mIoU'], help='columns of the table')
    parser.add_argument(
        '--jobs', type=int, default=1, help='trainings at the same time')
    parser.add_argument('--threads', type=int, help='of PyTorch, on a CPU')
    parser.add_argument(
        '--split', help='test on this in the place of val, once, at the end')
    parser.add_argument(
        '--block', type=int, default=15, help='neighbouring test images')
    parser.add_argument(
        '--baseline', help='config to compare with. Default: the first')
    parser.add_argument('--own-start', action='store_true')
    parser.add_argument('--out', help='JSON to write all results to')
    parser.add_argument('--curves', help='picture to draw')
    parser.add_argument(
        '--from', dest='results', help='JSON that --out has written')
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        default={},
        help='overrides for all configs, as in tools/train.py')
    args = parser.parse_args()
    if bool(args.configs) == bool(args.results):
        parser.error('give configs to train, or --from')
    return args


def main() -> None:
    args = parse_args()
    results = load(args.results) if args.results else None
    names = [*(results or map(name_of, args.configs))]
    baseline = name_of(args.baseline) if args.baseline else names[0]
    if baseline not in names:
        raise SystemExit(f'--baseline {args.baseline} is none of {names}')
    results = results or train_all(args)
    if args.out:
        dump(results, args.out)
    print_table(results, args.metrics, baseline)
    if args.curves:
        from mmhires.analysis import draw_curves
        draw_curves(
            {
                name: [run_dir(args, name, seed) for seed in args.seeds]
                for name in results
            }, args.metrics[0], args.curves)


def name_of(path: str) -> str:
    return osp.splitext(osp.basename(path))[0]


def run_dir(args: argparse.Namespace, name: str, seed: int) -> str:
    return osp.join(args.work_dir, name, f'seed{seed}')


def train_all(args: argparse.Namespace) -> dict:
    """Results by config, one record a seed."""
    try:
        claim_folder(args.work_dir)
    except FolderInUseError as error:
        raise SystemExit(f'--work-dir {error}') from error
    names = {name_of(path): path for path in args.configs}
    tasks = [(name, seed) for seed in args.seeds for name in names]
    if not args.own_start:
        from mmhires.analysis import save_initial_weights
        for seed in args.seeds:
            if not osp.isfile(initial := first_weights(args, seed)):
                save_initial_weights(
                    Config.fromfile(args.configs[0]), seed, initial)
    records = {}
    for task, record in run_all(args, names, tasks):
        records[task] = record
    return {
        name: [records[name, seed] for seed in args.seeds]
        for name in names
    }


def first_weights(args: argparse.Namespace, seed: int) -> str:
    return osp.join(args.work_dir, f'initial_seed{seed}.pth')


def run_all(args: argparse.Namespace, names: dict,
            tasks: list) -> Iterator[tuple]:
    """The tasks and their records, as they are done."""
    start, done = time.time(), 0
    # A process each: runs of one process share loggers and random streams.
    with process_pool(args.jobs, max_tasks_per_child=1) as pool:
        waiting = {
            pool.submit(run, args, names[name], name, seed): (name, seed)
            for name, seed in tasks
        }
        for future in as_completed(waiting):
            done += 1
            left = (time.time() - start) / done * (len(tasks) - done)
            print(
                f'run {done} of {len(tasks)} is done, at most about '
                f'{timedelta(seconds=round(left))} left',
                flush=True)
            yield waiting[future], future.result()


def run(args: argparse.Namespace, path: str, name: str, seed: int) -> dict:
    """One training and its test, in a process of its own."""
    import torch

    from mmhires.analysis import block_areas, train_and_test
    if args.threads:
        torch.set_num_threads(args.threads)
    cfg = Config.fromfile(path)
    cfg.merge_from_dict(args.cfg_options)
    start = (
        cfg.get('load_from') if args.own_start else first_weights(args, seed))
    work_dir = run_dir(args, name, seed)
    metrics = train_and_test(cfg, work_dir, seed, start, split=args.split)
    suffix = f'_{args.split}' if args.split else ''
    record = load(osp.join(work_dir, f'areas{suffix}.json'))
    for quantity in {'areas', 'BIoU'} & record.keys():
        blocks = block_areas(record[quantity], args.block)
        record[quantity] = blocks.tolist()
    return dict(record, seed=seed, metrics=metrics, block=args.block)


def print_table(results: dict, metrics: list, first: str) -> None:
    from mmhires.analysis import paired_difference
    table = Table(
        Column('config', overflow='fold'),
        *(column for metric in metrics
          for column in (metric, 'difference', 'over seeds', 'over blocks')))
    theirs = {record['seed']: record for record in results[first]}
    for name, runs in results.items():
        ours = [record for record in runs if record['seed'] in theirs]
        if not ours:
            raise SystemExit(f'{name} and {first} have no seed in common')
        baseline = [theirs[record['seed']] for record in ours]
        cells = []
        for metric in metrics:
            values = values_of(runs, metric)
            spread = statistics.stdev(values) if len(values) > 1 else 0.
            cells.append(f'{statistics.mean(values):.2f} ± {spread:.2f}')
            if name == first:
                cells += ['', '', '']
                continue
            seeds = paired_difference(
                values_of(ours, metric), values_of(baseline, metric))
            cells += [f'{seeds.mean:+.2f}', interval(seeds)]
            blocks = over_blocks(ours, baseline, metric)
            cells.append(interval(blocks) if blocks else '')
        table.add_row(name, *cells)
    Console(width=max(160, 115 * len(metrics))).print(table)


def values_of(records: list, metric: str) -> list[float]:
    return [record['metrics'][metric] for record in records]


def interval(difference: 'Difference') -> str:
    if math.isnan(difference.p):  # one seed
        return ''
    return (f'{difference.low:+.2f} to {difference.high:+.2f}, '
            f'p = {difference.p:.2g}')


def over_blocks(runs: list, baseline: list,
                metric: str) -> 'Difference | None':
    """Bootstrap of the mean IoU of all classes or of a group of them."""
    from mmhires.analysis import bootstrap_difference
    quantity, _, group = metric.partition('.')
    first = baseline[0]
    if quantity != 'mIoU' or 'areas' not in first:
        return None
    classes = [
        first['classes'].index(name) for name in first['groups'][group]
    ] if group else None
    return bootstrap_difference(
        *(np.array([record['areas'] for record in records])
          for records in (runs, baseline)), classes)


if __name__ == '__main__':
    main()

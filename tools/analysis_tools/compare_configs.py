# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
r"""Train configs with the same seeds and tell differences from chance.

    python tools/analysis_tools/compare_configs.py BASELINE.py OURS.py \
        --seeds 0 1 2 3 4 --jobs 2 --work-dir work_dirs/study --out study.json

Every run tests its last weights. The table has the mean of what the configs'
test evaluators measure and, against the first config, the difference with its
95 % intervals: over the seeds that both have (Student's t), and over
blocks of neighbouring test images (bootstrap, of at least 12 blocks);
``--baseline`` names another config than the first. Interrupted, the command
goes on where it was; finished runs are read back if config, options, seed and
first weights are the same, what is there of others is moved aside.

Each seed's first weights are those of the first config, as far as the others
share its layers; with ``--own-start`` each config has its own ``load_from``.
``--curves FILE.png`` draws what was measured in training;
``--from FILE.json`` prints the table of an earlier ``--out`` without any run.
"""
import argparse
import json
import os.path as osp
import time
from collections.abc import Iterator
from concurrent.futures import as_completed
from datetime import timedelta

from mmengine.config import Config, DictAction
from mmengine.fileio import load
from mmengine.utils import mkdir_or_exist
from rich.console import Console
from rich.table import Column, Table

from mmhires.utils.files import open_whole
from mmhires.utils.locks import FolderInUseError, claim_folder
from mmhires.utils.processes import process_pool

# What takes seconds to import is imported where it is used, after --help.


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
    for name, values, least in (('seeds', args.seeds,
                                 0), ('jobs', [args.jobs],
                                      1), ('threads', [args.threads or 1], 1),
                                ('block', [args.block], 1)):
        if min(values) < least:
            parser.error(f'--{name} must be at least {least}, got '
                         f'{min(values)}')
    for what, values in (('seed', args.seeds),
                         ('config', [*map(osp.realpath, args.configs)])):
        twice = {value for value in values if values.count(value) > 1}
        if twice:
            # It would count as another draw.
            parser.error(f'{what} {twice.pop()} is given twice')
    return args


def main() -> None:
    args = parse_args()
    from mmhires.analysis import distinct_names, draw_curves
    results = read_results(args.results) if args.results else None
    names = [*(results or distinct_names(args.configs))]
    baseline = find_baseline(args, names) if args.baseline else names[0]
    results = results or train_all(args, names)
    if args.out:
        mkdir_or_exist(osp.dirname(osp.abspath(args.out)))
        with open_whole(args.out) as file:
            json.dump(results, file)
    print_table(results, args.metrics, baseline)
    if args.curves:
        draw_curves(
            {
                name: [run_dir(args, name, seed) for seed in args.seeds]
                for name in results
            }, args.metrics[0], args.curves)


def read_results(path: str) -> dict:
    try:
        with open(path, encoding='utf-8') as file:
            return json.load(file)
    except (OSError, ValueError) as error:
        raise SystemExit(f'--from {path}: {error}') from error


def find_baseline(args: argparse.Namespace, names: list[str]) -> str:
    """Name of the config that ``--baseline`` gives by path or by name."""
    for name, path in zip(names, args.configs):
        if osp.realpath(path) == osp.realpath(args.baseline):
            return name
    # By the end of its path: of two files of one name the folder tells.
    wanted = f'/{osp.splitext(args.baseline)[0]}'
    found = [name for name in names if wanted.endswith(f'/{name}')]
    if len(found) != 1:
        raise SystemExit(f'--baseline {args.baseline} is none of {names}')
    return found[0]


def run_dir(args: argparse.Namespace, name: str, seed: int) -> str:
    return osp.join(args.work_dir, name, f'seed{seed}')


def train_all(args: argparse.Namespace, names: list[str]) -> dict:
    """Results by config, one record a seed."""
    from mmhires.analysis import initial_weights, on_split
    paths = dict(zip(names, args.configs))
    tasks = [(name, seed) for seed in args.seeds for name in names]
    configs = [read_config(args, path) for path in args.configs]
    if args.split:  # which may not be there: better known before training
        for path, cfg in zip(args.configs, configs):
            try:
                on_split(cfg, args.split)
            except (OSError, ValueError) as error:
                raise SystemExit(f'{path}: {error}') from error
    try:
        claim_folder(args.work_dir)
    except FolderInUseError as error:
        raise SystemExit(f'--work-dir {error}') from error
    if not args.own_start:
        for seed in args.seeds:
            initial_weights(configs[0], seed, first_weights(args, seed))
    records = dict(run_all(args, paths, tasks))
    return {
        name: [records[name, seed] for seed in args.seeds]
        for name in names
    }


def read_config(args: argparse.Namespace, path: str) -> Config:
    cfg = Config.fromfile(path)
    cfg.merge_from_dict(args.cfg_options)
    return cfg


def first_weights(args: argparse.Namespace, seed: int) -> str:
    return osp.join(args.work_dir, f'initial_seed{seed}.pth')


def run_all(args: argparse.Namespace, names: dict,
            tasks: list) -> Iterator[tuple]:
    """The tasks and their records, as they are done."""
    start, done = time.time(), 0
    # A process each: runs of one process share loggers and random streams.
    with process_pool(args.jobs, fresh=True) as pool:
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
    cfg = read_config(args, path)
    start = (
        cfg.get('load_from') if args.own_start else first_weights(args, seed))
    work_dir = run_dir(args, name, seed)
    metrics = train_and_test(cfg, work_dir, seed, start, split=args.split)
    suffix = f'_{args.split}' if args.split else ''
    record = load(osp.join(work_dir, f'areas{suffix}.json'))
    for quantity in {'areas', 'BIoU'} & record.keys():
        record['images'] = len(record[quantity])
        blocks = block_areas(record[quantity], args.block)
        record[quantity] = blocks.tolist()
    return dict(record, seed=seed, metrics=metrics, block=args.block)


def print_table(results: dict, metrics: list, first: str) -> None:
    from mmhires.analysis.comparison import COLUMNS, compare_records
    try:
        rows, notes = compare_records(results, metrics, first)
    except ValueError as error:
        raise SystemExit(f'compare_configs.py: {error}') from error
    table = Table(
        Column('config', overflow='fold'),
        *(column for metric in metrics for column in (metric, *COLUMNS)))
    for row in rows:
        table.add_row(*row)
    console = Console(width=max(160, 115 * len(metrics)))
    console.print(table)
    for note in notes:
        console.print(note, soft_wrap=True, highlight=False)


if __name__ == '__main__':
    main()

# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
r"""Train several configs with the same seeds, first weights and budget.

Prints a table of the mean and the spread of what the configs' test evaluators
measure, for a paper's table with error bars:

    python tools/analysis_tools/compare_configs.py BASELINE.py OURS.py \
        --seeds 0 1 2 --metrics mIoU --work-dir work_dirs/compare

The first config is the baseline: with each seed its first weights are what the
others start from, as far as they share layers. Interrupted, it goes on where
it was; finished runs are read back.
"""
import argparse
import os.path as osp
import statistics
import time
from datetime import timedelta

import torch
from mmengine.config import Config, DictAction
from mmengine.utils import mkdir_or_exist
from rich.console import Console
from rich.table import Table

from mmhires.analysis import save_initial_weights, train_and_test


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description='Train configs side by side and compare')
    parser.add_argument('configs', nargs='+', help='baseline first')
    parser.add_argument('--seeds', nargs='+', type=int, default=[0, 1, 2])
    parser.add_argument('--work-dir', default='work_dirs/compare')
    parser.add_argument(
        '--metrics', nargs='+', default=['mIoU'], help='columns of the table')
    parser.add_argument('--threads', type=int, help='of PyTorch, on a CPU')
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        default={},
        help='overrides for all configs, as in tools/train.py')
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    if args.threads:
        torch.set_num_threads(args.threads)
    configs = {
        osp.splitext(osp.basename(path))[0]: Config.fromfile(path)
        for path in args.configs
    }
    baseline = next(iter(configs.values()))
    results = {name: [] for name in configs}
    total, trained = len(configs) * len(args.seeds), []
    for seed in args.seeds:
        initial = osp.join(args.work_dir, f'initial_seed{seed}.pth')
        if not osp.isfile(initial):
            mkdir_or_exist(args.work_dir)
            save_initial_weights(baseline, seed, initial)
        for name, cfg in configs.items():
            cfg.merge_from_dict(args.cfg_options)
            work_dir = osp.join(args.work_dir, name, f'seed{seed}')
            start = time.time()
            finished = osp.isfile(osp.join(work_dir, 'metrics.json'))
            results[name].append(train_and_test(cfg, work_dir, seed, initial))
            if not finished:
                trained.append(time.time() - start)
                print_progress(sum(map(len, results.values())), total, trained)
    print_table(results, args.metrics)


def print_progress(number: int, total: int, trained: list) -> None:
    """Say how far it is; within a run the log has its own estimate."""
    left = timedelta(
        seconds=round(statistics.mean(trained) * (total - number)))
    print(f'run {number} of {total} is done, at most about {left} left')


def print_table(results: dict, metrics: list) -> None:
    table = Table('config', *metrics)
    for name, runs in results.items():
        cells = []
        for metric in metrics:
            values = [run[metric] for run in runs]
            spread = statistics.stdev(values) if len(values) > 1 else 0.
            cells.append(f'{statistics.mean(values):.2f} ± {spread:.2f}  (' +
                         ', '.join(f'{value:.2f}' for value in values) + ')')
        table.add_row(name, *cells)
    Console(width=160).print(table)


if __name__ == '__main__':
    main()

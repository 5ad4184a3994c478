# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""A trained full-size network has to run on a quarter of the pixels.

Measures, on streets that no training saw, a network that comes with mmhires,
the same network fed the small image, and three ways to fine-tune it for small
images: plain, DSRL and HRFR. The fine-tuning runs now, for some minutes on two
cores. Prints a table and writes a page to look at. The same command goes on
where it was stopped and measures nothing twice; another ``--out-dir`` begins
anew.
"""
import argparse
import contextlib
import copy
import json
import os
import os.path as osp
import queue
import sys
import warnings
from concurrent.futures import Future, ProcessPoolExecutor
from multiprocessing.managers import SyncManager
from typing import TYPE_CHECKING

from demo_page import print_table, table_rows, write_page
from demo_worker import CONFIG_DIR, TRAINED, WEIGHTS, draw, run
from mmengine.config import Config
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)

from mmhires.utils.files import open_whole
from mmhires.utils.locks import FolderInUseError, claim_folder
from mmhires.utils.processes import end_with_parent, process_pool

# What takes seconds to import is imported where it is used, after --help.
if TYPE_CHECKING:
    from torch import nn

PLAIN = 'deeplabv3plus-r18s_1xb4-400_streets-96x192'
CONFIGS = {
    'full size': 'deeplabv3plus-r18s_1xb8-3000_streets-192x384',
    'not fine-tuned': PLAIN,
    'plain': PLAIN,
    'DSRL': f'dsrl_{PLAIN}-to-192x384',
    'HRFR': f'hrfr_{PLAIN}-to-192x384',
}
UNTAUGHT = f'dsrl-no-teacher_{PLAIN}-to-192x384'


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description='Full-size accuracy from a quarter of the pixels')
    parser.add_argument('--seed', type=int, default=0, help='of the training')
    parser.add_argument('--iters', type=int, help='training steps of each')
    parser.add_argument(
        '--train-longer', action='store_true', help='four times as many steps')
    parser.add_argument(
        '--test-images', type=int, default=500, help='streets to test on')
    parser.add_argument(
        '--quick', action='store_true', help='measure, but train nothing')
    parser.add_argument(
        '--train-images', type=int, default=400, help='streets to train on')
    parser.add_argument('--out-dir', default='demo_out')
    args = parser.parse_args()
    for name, least in dict(
            seed=0, iters=1, test_images=1, train_images=1).items():
        value = getattr(args, name)
        if value is not None and value < least:
            parser.error(f'--{name.replace("_", "-")} must be at least '
                         f'{least}, got {value}')
    return args


def main() -> None:
    args = parse_args()
    from mmhires.registry import DATASETS

    # Upstream's deprecation notes would bury what is measured.
    warnings.simplefilter('ignore')
    configs = {
        name: read_config(args, name)
        for name in CONFIGS if not (args.quick and name in TRAINED)
    }
    jobs = min(os.cpu_count(), len(configs))
    try:
        claim_folder(args.out_dir)
        with Progress(
                TextColumn('{task.description:<36}'), BarColumn(),
                MofNCompleteColumn(),
                TimeRemainingColumn()) as progress, process_pool(jobs) as pool:
            draw_streets(configs, pool, progress)
            results = measure(args, configs, jobs, pool, progress)
    except KeyboardInterrupt:
        sys.exit('demo: stopped; the same command goes on from here')
    except FolderInUseError as error:
        sys.exit(f'demo: --out-dir {error}')
    networks = load_networks(args, configs)
    measure_cost(results, networks, configs)
    with open_whole(osp.join(args.out_dir, 'results.json')) as file:
        json.dump(results, file)
    rows = table_rows(results)
    print_table(rows, args.test_images)
    dataset = DATASETS.build(configs['full size'].test_dataloader.dataset)
    page = write_page(results, rows, networks, dataset, args.out_dir)
    Console(soft_wrap=True).print(f'Look at it: {osp.abspath(page)}')


def read_config(args: argparse.Namespace, name: str) -> Config:
    import torch

    # yapf would take a second for every time that a runner writes its config.
    cfg = Config.fromfile(
        osp.join(CONFIG_DIR, f'{CONFIGS[name]}.py'), format_python_code=False)
    for loader in (cfg.train_dataloader, cfg.test_dataloader):
        loader.update(num_workers=0, persistent_workers=False)
        loader.dataset.cache = osp.join(args.out_dir, 'streets')
    cfg.train_dataloader.dataset.length = args.train_images
    cfg.test_dataloader.dataset.length = args.test_images
    steps = args.iters or cfg.train_cfg.max_iters
    if args.train_longer:
        steps *= 4
    if not torch.ops.mkldnn._is_mkldnn_bf16_supported():
        cfg.optim_wrapper.type = 'OptimWrapper'  # bf16 would be emulated
    cfg.train_cfg.max_iters = steps
    # Testing follows training; validating first would say the same.
    cfg.val_dataloader = cfg.val_cfg = cfg.val_evaluator = None
    warm_up, decay = cfg.param_scheduler
    warm_up.end = decay.begin = min(warm_up.end, max(1, steps // 2))
    decay.end = max(steps, decay.begin + 1)
    return cfg


def work_dir(args: argparse.Namespace, name: str, cfg: Config) -> str:
    folder = f'{name.replace(" ", "-")}_{args.test_images}-images'
    if name in TRAINED:
        folder += f'_{cfg.train_cfg.max_iters}-iters_seed{args.seed}'
    return osp.join(args.out_dir, folder)


def draw_streets(configs: dict, pool: ProcessPoolExecutor,
                 progress: Progress) -> None:
    """Draw what is not there yet, of training and test."""
    cfg = configs['not fine-tuned']
    # Few parts, for each builds its dataset.
    parts = [(dict(loader.dataset,
                   pipeline=[]), range(start, loader.dataset.length, 16))
             for loader in (cfg.train_dataloader, cfg.test_dataloader)
             for start in range(16)]
    task = progress.add_task(
        'draw streets (1 min on 2 cores)', total=len(parts))
    for _ in pool.map(draw, *zip(*parts)):
        progress.advance(task)


def measure(args: argparse.Namespace, configs: dict, jobs: int,
            pool: ProcessPoolExecutor, progress: Progress) -> dict[str, dict]:
    """Train and test everything, ``jobs`` at a time."""
    order = [name for name in (*TRAINED, *configs) if name in configs]
    bars = {
        f'train {name}':
        progress.add_task(
            f'train {name} ({minutes} min on 2 cores)', total=None)
        for name, minutes in zip(TRAINED, (3, 3, 1)) if name in configs
    }
    manager = SyncManager()
    manager.start(end_with_parent)
    with manager:
        messages = manager.Queue()
        futures = {
            name:
            pool.submit(run, configs[name], name,
                        work_dir(args, name, configs[name]), args.seed,
                        max(1,
                            os.cpu_count() // jobs), messages)
            for name in dict.fromkeys(order)
        }
        follow(futures, messages, bars, progress)
        return {name: futures[name].result() for name in configs}


def follow(futures: dict[str, Future], messages: queue.Queue, bars: dict,
           progress: Progress) -> None:
    """Show how far the processes are until all are done or one has failed."""
    while not all(future.done() for future in futures.values()):
        for future in futures.values():
            if future.done():
                future.result()
        with contextlib.suppress(queue.Empty):
            message = messages.get(timeout=0.5)
            if isinstance(message, str):
                progress.console.print(
                    message, soft_wrap=True, highlight=False)
                continue
            bar, done, total = message
            if bar not in bars:
                bars[bar] = progress.add_task(bar)
            progress.update(bars[bar], completed=done, total=total)


def load_networks(args: argparse.Namespace,
                  configs: dict) -> dict[str, 'nn.Module']:
    """The networks as they are deployed."""
    from mmengine.registry import init_default_scope
    from mmengine.runner import load_checkpoint

    from mmhires.engine.latest_checkpoint import find_latest_checkpoint
    from mmhires.registry import MODELS
    init_default_scope('mmseg')
    networks = {}
    for name, cfg in configs.items():
        weights = find_latest_checkpoint(work_dir(
            args, name, cfg)) if name in TRAINED else WEIGHTS
        if name == 'DSRL':  # whose segmentor shows what SISR rebuilds
            cfg = Config.fromfile(osp.join(CONFIG_DIR, f'{UNTAUGHT}.py'))
        networks[name] = MODELS.build(cfg.model).eval()
        load_checkpoint(networks[name], weights, 'cpu', logger='silent')
    return networks


def measure_cost(results: dict, networks: dict, configs: dict) -> None:
    """Add MACs, and the time for one image on one thread."""
    from mmhires.analysis import count_macs, measure_latency
    from mmhires.deploy import strip
    full = configs['full size'].size
    shapes, stripped = {}, {}
    for name, network in networks.items():
        scale = network.data_preprocessor.scale
        shapes[name] = (1, 3, *(side // scale for side in full))
        stripped[name] = strip(copy.deepcopy(network))
    for name, time in measure_latency(stripped, shapes).items():
        results[name].update(
            gmacs=count_macs(stripped[name], shapes[name]) / 1e9,
            latency=time.median)


if __name__ == '__main__':
    main()

# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Networks that see a quarter of the pixels, against one that sees all."""

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

import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.runner import load_checkpoint
from torch import nn

from mmhires.analysis import count_macs, measure_latency, network_input
from mmhires.deploy import strip
from mmhires.engine.latest_checkpoint import find_latest_checkpoint
from mmhires.registry import DATASETS, MODELS
from mmhires.utils.files import open_whole
from mmhires.utils.locks import FolderInUseError, claim_folder
from mmhires.utils.processes import end_with_parent, process_pool
from mmhires.utils.progress import progress_bar

from .page import against_plain, print_table, table_rows, write_demo_page
from .worker import CONFIG_DIR, TRAINED, WEIGHTS, draw, run

if TYPE_CHECKING:
    from rich.progress import Progress

PLAIN = 'deeplabv3plus-r18s_1xb4-400_streets-96x192'
CONFIGS = {
    'full size': 'deeplabv3plus-r18s_1xb8-3000_streets-192x384',
    'fed 144x288': PLAIN,
    'fed 128x256': PLAIN,
    'fed 96x192': PLAIN,
    'fed 64x128': PLAIN,
    'plain': PLAIN,
    'plain 128x256': PLAIN,
    'DSRL': f'dsrl_{PLAIN}-to-192x384',
    'HRFR': f'hrfr_{PLAIN}-to-192x384',
}
# Full-size image : network input, where it is not that of the config, and what
# images are a multiple of so that the maps halve evenly.
SCALES = {
    'fed 144x288': (4 / 3, 64),
    'fed 128x256': (1.5, 24),
    'fed 64x128': (3, 48),
    'plain 128x256': (1.5, 24),
}
# Where a minute more does not count.
WITH_TIME = 'plain 128x256'
UNTAUGHT = f'dsrl-no-teacher_{PLAIN}-to-192x384'


def compare_on_streets(args: argparse.Namespace) -> None:
    """Measure, train and write the page.

    Args:
        args: Of ``mmhires demo``.

    Raises:
        ValueError: Another process uses the folder.
    """
    # Upstream's deprecation notes would bury what is measured.
    warnings.simplefilter('ignore')
    configs = {
        name: read_config(args, name)
        for name in CONFIGS
        if not (args.quick and name in TRAINED) and (args.train_longer or name != WITH_TIME)
    }
    jobs = min(os.cpu_count(), len(configs))
    try:
        claim_folder(args.out_dir)
    except FolderInUseError as error:
        raise ValueError(f'--out-dir {error}') from error
    with progress_bar() as progress, process_pool(jobs) as pool:
        draw_streets(configs, pool, progress)
        results = measure(args, configs, jobs, pool, progress)
    networks = load_networks(args, configs)
    measure_cost(results, networks, configs)
    with open_whole(osp.join(args.out_dir, 'results.json')) as file:
        json.dump(results, file)
    rows = table_rows(results)
    print_table(rows, args.test_images)
    for sentence in against_plain(results):
        sys.stdout.write(f'{sentence}\n')
    dataset = DATASETS.build(configs['full size'].test_dataloader.dataset)
    page = write_demo_page(results, rows, networks, dataset, args.out_dir)
    sys.stdout.write(f'Look at it: {osp.abspath(page)}\n')


def read_config(args: argparse.Namespace, name: str) -> Config:
    """Read the config of a network, as large as the arguments say."""
    # yapf would take a second for every time that a runner writes its config.
    cfg = Config.fromfile(osp.join(CONFIG_DIR, f'{CONFIGS[name]}.py'), format_python_code=False)
    if name in SCALES:
        scale, divisor = SCALES[name]
        cfg.model.data_preprocessor.update(scale=scale, test_cfg=dict(size_divisor=divisor))
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
    """Folder of a network; of other arguments it is another one."""
    folder = f'{name.replace(" ", "-")}_{args.test_images}-images'
    if name in TRAINED:
        folder += f'_{cfg.train_cfg.max_iters}-iters_seed{args.seed}'
    return osp.join(args.out_dir, folder)


def draw_streets(configs: dict, pool: ProcessPoolExecutor, progress: 'Progress') -> None:
    """Draw what is not there yet, of training and test."""
    cfg = configs['fed 96x192']
    # Few parts, for each builds its dataset.
    parts = [
        (dict(loader.dataset, pipeline=[]), range(start, loader.dataset.length, 16))
        for loader in (cfg.train_dataloader, cfg.test_dataloader)
        for start in range(16)
    ]
    task = progress.add_task('draw streets (1 min on 2 cores)', total=len(parts))
    for _ in pool.map(draw, *zip(*parts)):
        progress.advance(task)
        progress.refresh()


def measure(
    args: argparse.Namespace,
    configs: dict,
    jobs: int,
    pool: ProcessPoolExecutor,
    progress: 'Progress',
) -> dict[str, dict]:
    """Train and test everything, ``jobs`` at a time."""
    order = [name for name in (*TRAINED, *configs) if name in configs]
    bars = {
        f'train {name}': progress.add_task(f'train {name} ({minutes} min on 2 cores)', total=None)
        for name, minutes in TRAINED.items()
        if name in configs
    }
    manager = SyncManager()
    manager.start(end_with_parent)
    with manager:
        messages = manager.Queue()
        futures = {
            name: pool.submit(
                run,
                configs[name],
                name,
                work_dir(args, name, configs[name]),
                args.seed,
                max(1, os.cpu_count() // jobs),
                messages,
            )
            for name in dict.fromkeys(order)
        }
        follow(futures, messages, bars, progress)
        return {name: futures[name].result() for name in configs}


def follow(
    futures: dict[str, Future], messages: queue.Queue, bars: dict, progress: 'Progress'
) -> None:
    """Show how far the processes are until all are done or one has failed."""
    while not all(future.done() for future in futures.values()):
        progress.refresh()
        for future in futures.values():
            if future.done():
                future.result()
        with contextlib.suppress(queue.Empty):
            message = messages.get(timeout=0.5)
            if isinstance(message, str):
                sys.stderr.write(f'{message}\n')
                continue
            bar, done, total = message
            if bar not in bars:
                bars[bar] = progress.add_task(bar)
            progress.update(bars[bar], completed=done, total=total)


def load_networks(args: argparse.Namespace, configs: dict) -> dict[str, nn.Module]:
    """The networks as they are deployed."""
    init_default_scope('mmseg')
    networks = {}
    for name, cfg in configs.items():
        weights = find_latest_checkpoint(work_dir(args, name, cfg)) if name in TRAINED else WEIGHTS
        if name == 'DSRL':  # whose segmentor shows what SISR rebuilds
            cfg = Config.fromfile(osp.join(CONFIG_DIR, f'{UNTAUGHT}.py'))
        networks[name] = MODELS.build(cfg.model).eval()
        load_checkpoint(networks[name], weights, 'cpu', logger='silent')
    return networks


def measure_cost(results: dict, networks: dict, configs: dict) -> None:
    """Add MACs, and the time for one image on one thread."""
    full = configs['full size'].size
    shapes, stripped = {}, {}
    for name, network in networks.items():
        shapes[name] = network_input(network, full)
        stripped[name] = strip(copy.deepcopy(network))
    for name, time in measure_latency(stripped, shapes).items():
        results[name].update(
            gmacs=count_macs(stripped[name], shapes[name]) / 1e9, latency=time.median
        )

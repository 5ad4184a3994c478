# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Processes of the demo: draw streets, train and test a network."""

import copy
import logging
import os
import os.path as osp
import queue
import warnings
from collections.abc import Sequence
from itertools import islice

import torch
from mmengine.config import Config
from mmengine.fileio import load
from mmengine.hooks import Hook
from mmengine.registry import init_default_scope
from mmengine.runner import Runner

from mmhires.analysis import collect_moments, start_neck, test_weights, train_and_test
from mmhires.analysis.provenance import content_hash, fits, keep, origin
from mmhires.registry import DATASETS
from mmhires.utils.files import open_whole
from mmhires.zoo.published import config_folder

CONFIG_DIR = str(config_folder() / 'demo')
WEIGHTS = osp.join(CONFIG_DIR, 'deeplabv3plus-r18s_streets-192x384.pth')
# By name, and minutes on two cores. The longest first, no core waits for it.
TRAINED = {'HRFR': 3, 'DSRL': 3, 'plain 128x256': 2, 'plain': 1}


def draw(cfg: dict, scenes: Sequence[int]) -> None:
    """Draw scenes into the cache of their dataset."""
    init_default_scope('mmseg')
    dataset = DATASETS.build(cfg)
    for scene in scenes:
        dataset[scene]


def make_report(messages: queue.Queue, name: str) -> Hook:
    """Make a hook that reports a runner's progress to another process."""

    class Report(Hook):
        def after_train_iter(self, runner, *args, **kwargs) -> None:
            self._report('train', runner.iter + 1, runner.max_iters)

        def after_test_iter(self, runner, batch_idx, *args, **kwargs) -> None:
            self._report('test', batch_idx + 1, len(runner.test_dataloader))

        def _report(self, verb: str, done: int, total: int) -> None:
            if not done % 5 or done == total:
                messages.put((f'{verb} {name}', done, total))

    return Report()


class Forward(logging.Handler):
    """Stream that sends its text to the process that the user sees."""

    def __init__(self, messages: queue.Queue) -> None:
        super().__init__()
        self.messages = messages

    def emit(self, record: logging.LogRecord) -> None:
        """Send the text."""
        self.messages.put(record.getMessage())


def run(
    cfg: Config, name: str, folder: str, seed: int, threads: int, messages: queue.Queue
) -> dict:
    """Train and test one network in a process whose output goes to a file."""
    # One process may run several networks.
    logging.getLogger('mmhires').handlers = [Forward(messages)]
    report = make_report(messages, name)
    os.makedirs(folder, exist_ok=True)
    log = os.open(osp.join(folder, 'output.log'), os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for stream in (1, 2):
        os.dup2(log, stream)
    warnings.simplefilter('ignore')
    torch.set_num_threads(threads)
    if name not in TRAINED:
        test_weights(cfg, folder, WEIGHTS, [report])
    else:
        start = WEIGHTS
        if name == 'HRFR':
            start = match_features(cfg, folder)
        train_and_test(cfg, folder, seed, start, [report])
    return dict(
        load(osp.join(folder, 'areas.json')), metrics=load(osp.join(folder, 'metrics.json'))
    )


def match_features(cfg: Config, folder: str) -> str:
    """Start HRFR with a linear map from small to full-size features."""
    path = osp.join(folder, 'matched.pth')
    of = origin(cfg, start=content_hash(WEIGHTS))
    if fits(path, of):
        return path
    cfg = copy.deepcopy(cfg)
    cfg.work_dir, cfg.load_from = folder, None
    runner = Runner.from_cfg(cfg)
    runner.model.init_weights()
    loader = runner.build_dataloader(cfg.train_dataloader, seed=0)
    batches = islice(loader, min(16, len(loader)))  # it never ends by itself
    moments = collect_moments(runner.model, batches, True)
    start_neck(runner.model, moments, 'lstsq')
    with open_whole(path, 'wb') as file:
        torch.save(dict(state_dict=runner.model.state_dict()), file)
    keep(path, of)
    return path

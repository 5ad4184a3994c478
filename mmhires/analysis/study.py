# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Several configs, each trained with the same seeds."""

import os.path as osp
import time
from collections.abc import Iterator
from concurrent.futures import as_completed
from dataclasses import dataclass, field
from datetime import timedelta

import torch
from mmengine.config import Config
from mmengine.fileio import load

from mmhires.utils import processes
from mmhires.utils.locks import FolderInUseError, claim_folder

from .compare import initial_weights, train_and_test
from .provenance import say
from .splits import on_split
from .statistics import block_areas


@dataclass
class Study:
    """Trainings of configs with the same seeds and first weights.

    Attributes:
        configs: Config files by name. The first one makes the first weights.
        seeds: Of the trainings.
        work_dir: Folder of all runs.
        jobs: Trainings at the same time.
        threads: Of PyTorch in each. Default: PyTorch's.
        split: What to test on. Default: what the config says.
        block: Neighbouring test images that count as one draw.
        own_start: Whether each config starts from its own ``load_from``.
        overrides: Of all configs, by dotted key.
    """

    configs: dict[str, str]
    seeds: list[int]
    work_dir: str
    jobs: int = 1
    threads: int | None = None
    split: str | None = None
    block: int = 15
    own_start: bool = False
    overrides: dict = field(default_factory=dict)

    def run_dir(self, name: str, seed: int) -> str:
        """Folder of one training."""
        return osp.join(self.work_dir, name, f'seed{seed}')

    def train(self) -> dict[str, list[dict]]:
        """Train the runs that are not trained yet.

        Returns:
            By config, one record for each seed.

        Raises:
            ValueError: Another process uses ``work_dir``, or a config has no such split.
        """
        configs = [self._read(name) for name in self.configs]
        if self.split:  # which may not be there: better known before training
            for path, cfg in zip(self.configs.values(), configs):
                try:
                    on_split(cfg, self.split)
                except (OSError, ValueError) as error:
                    raise ValueError(f'{path}: {error}') from error
        try:
            claim_folder(self.work_dir)
        except FolderInUseError as error:
            raise ValueError(f'--work-dir {error}') from error
        if not self.own_start:
            for seed in self.seeds:
                initial_weights(configs[0], seed, self._start(seed))
        records = dict(self._run_all())
        return {name: [records[name, seed] for seed in self.seeds] for name in self.configs}

    def _read(self, name: str) -> Config:
        cfg = Config.fromfile(self.configs[name])
        cfg.merge_from_dict(self.overrides)
        return cfg

    def _start(self, seed: int) -> str:
        return osp.join(self.work_dir, f'initial_seed{seed}.pth')

    def _run_all(self) -> Iterator[tuple[tuple[str, int], dict]]:
        """Yield the records as runs finish."""
        tasks = [(name, seed) for seed in self.seeds for name in self.configs]
        start, done = time.time(), 0
        # A process each: runs of one share loggers and random streams.
        with processes.process_pool(self.jobs, fresh=True) as pool:
            waiting = {pool.submit(self._run, *task): task for task in tasks}
            for future in as_completed(waiting):
                done += 1
                left = (time.time() - start) / done * (len(tasks) - done)
                say(
                    f'run {done} of {len(tasks)} is done, at most about '
                    f'{timedelta(seconds=round(left))} left'
                )
                yield waiting[future], future.result()

    def _run(self, name: str, seed: int) -> dict:
        """Train and test in a separate process."""
        if self.threads:
            torch.set_num_threads(self.threads)
        cfg = self._read(name)
        start = cfg.get('load_from') if self.own_start else self._start(seed)
        work_dir = self.run_dir(name, seed)
        metrics = train_and_test(cfg, work_dir, seed, start, split=self.split)
        suffix = f'_{self.split}' if self.split else ''
        record = load(osp.join(work_dir, f'areas{suffix}.json'))
        for quantity in record.keys() - {'classes', 'groups'}:
            record['images'] = len(record[quantity])
            blocks = block_areas(record[quantity], self.block)
            record[quantity] = blocks.tolist()
        return dict(record, seed=seed, metrics=metrics, block=self.block)

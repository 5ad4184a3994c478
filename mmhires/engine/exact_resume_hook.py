# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Training that continues as if it had never been interrupted."""

import itertools
import random
from collections import deque
from collections.abc import Iterator

import numpy as np
import torch
from mmengine.dataset import InfiniteSampler
from mmengine.device import get_device
from mmengine.hooks import Hook
from mmengine.runner import EpochBasedTrainLoop, IterBasedTrainLoop
from torch.utils.data import BatchSampler, DataLoader, get_worker_info

from mmhires.registry import HOOKS

LOADING, TRAINING = 0, 1


def _seed_all(*key: int) -> None:
    """Seed Python, NumPy and PyTorch by whole numbers, all at least 0."""
    words = np.random.SeedSequence(key).generate_state(3).tolist()
    random.seed(words[0])
    np.random.seed(words[1])
    if get_device() == 'cpu':  # the other takes milliseconds without a GPU
        torch.default_generator.manual_seed(words[2])
    else:
        torch.manual_seed(words[2])


class _SeededBatches:
    """Loader wrapper that seeds each batch by its number alone.

    It is a loader's ``collate_fn``, with ``start_worker`` for its ``worker_init_fn``. Each worker
    counts for itself which batch is next.

    Args:
        loader: Its own two functions stay in use.
        key: Seed and rank.
        length: Batches of an epoch, after which a worker that stays alive begins the next. Defaults
            to None, endless.
    """

    def __init__(self, loader, key, length=None):
        self.collate = loader.collate_fn
        self.init = loader.worker_init_fn
        self.key = key
        self.length = length
        self.epoch = self.number = 0

    def seed(self) -> None:
        _seed_all(*self.key, LOADING, self.epoch, self.number)

    def start_worker(self, worker_id: int) -> None:
        if self.init is not None:
            self.init(worker_id)
        self.number += worker_id
        self.seed()

    def __call__(self, samples):
        batch = self.collate(samples)
        worker = get_worker_info()
        if worker is not None:
            self.number += worker.num_workers
            if self.length is not None and self.number >= self.length:
                self.epoch, self.number = self.epoch + 1, worker.id
            self.seed()
        return batch


class _Continued(Iterator):
    """A loader's batches from a number on, for a loop that counts from 0."""

    def __init__(self, loader: DataLoader, batches: _SeededBatches, skips: bool) -> None:
        # MMEngine's IterBasedTrainLoop throws these away, the fork's skips.
        repeated = itertools.repeat(None, 0 if skips else batches.number)
        self._batches = itertools.chain(repeated, _seeded(loader, batches))

    def __next__(self) -> dict:
        return next(self._batches)

    def skip_iter(self, number: int) -> None:
        """Skip nothing: the first batch is the one to continue with."""


def _seeded(loader: DataLoader, batches: _SeededBatches) -> Iterator:
    iterator = iter(loader)
    while True:
        if loader.num_workers == 0:
            batches.seed()
            batches.number += 1
        yield next(iterator)


@HOOKS.register_module()
class ExactResumeHook(Hook):
    """Makes a resumed training give the same weights as an uninterrupted one.

    MMEngine restores weights, optimizer and schedules, but no random numbers: dropout and
    augmentation go on differently, and without a seed in the config the order of the samples too.
    Here they depend on the seed, the rank and the number of the iteration or batch only, so that
    nothing has to be stored but the seed, and the number of workers does not matter. A resumed
    ``IterBasedTrainLoop`` steps over the indices of the batches it has had, where MMEngine would
    load every image again.

    It covers an ``IterBasedTrainLoop`` on an ``InfiniteSampler``, and an ``EpochBasedTrainLoop``
    resumed between epochs; others keep what MMEngine does, with a warning. With
    ``accumulative_counts`` in the optimizer wrapper let it divide the interval of the checkpoints:
    gradients on the way are not saved.

    The weights are equal to the bit where the computation is: on the same kind of device with the
    same versions, number of processes, batch size and, on a CPU, number of threads. CPUs need
    nothing else. On a GPU set ``randomness=dict(deterministic=True)``, which switches
    ``cudnn_benchmark`` off, and the environment variable ``CUBLAS_WORKSPACE_CONFIG=:4096:8``;
    otherwise the order of sums, and with it the last bits, differs from run to run. PyTorch then
    raises where it has no such kernel: in the backward pass of adaptive pooling to more than one
    pixel (PSPHead, SimplifiedPPM, ESPNetv2Head), in upstream's ``IoUMetric`` and ``EncHead``
    (``histc``), which :class:`ClasswiseIoUMetric` and our ``EncHead`` replace.

    Examples:
        >>> custom_hooks = [dict(type='mmhires.ExactResumeHook')]
    """

    priority = 'VERY_HIGH'

    def __init__(self):
        self._seed = self._key = self._batches = None

    def after_load_checkpoint(self, runner, checkpoint: dict) -> None:
        """Take over the seed of the resumed training.

        Args:
            runner: The runner.
            checkpoint: What was loaded.
        """
        if runner._resume:
            self._seed = checkpoint['meta'].get('sampler_seed')

    def before_save_checkpoint(self, runner, checkpoint: dict) -> None:
        """Add the seed to the checkpoint.

        Args:
            runner: The runner.
            checkpoint: What will be saved.
        """
        checkpoint['meta']['sampler_seed'] = self._seed

    def before_train(self, runner) -> None:
        """Let the loader continue where the training stands.

        Args:
            runner: The runner.
        """
        loop = runner.train_loop
        loader = loop.dataloader
        sampler = getattr(loader.batch_sampler, 'sampler', loader.sampler)
        if self._seed is None:
            self._seed = int(getattr(sampler, 'seed', runner.seed))
        self._key = (self._seed, runner.rank)
        endless = (
            isinstance(loop, IterBasedTrainLoop)
            and isinstance(sampler, InfiniteSampler)
            and type(loader.batch_sampler) is BatchSampler
        )
        if not endless and not isinstance(loop, EpochBasedTrainLoop):
            runner.logger.warning(
                f'ExactResumeHook: {type(loop).__name__} with {type(sampler).__name__} and '
                f'{type(loader.batch_sampler).__name__} will not load exactly the same after '
                'resuming; IterBasedTrainLoop with InfiniteSampler and BatchSampler would.'
            )
            return
        sampler.seed = self._seed
        self._batches = _SeededBatches(loader, self._key, None if endless else len(loader))
        loader.collate_fn = self._batches
        loader.worker_init_fn = self._batches.start_worker
        if endless:
            skips = hasattr(loop.dataloader_iterator, 'skip_iter')
            # The workers that the loop started have run ahead of it.
            loop.dataloader_iterator = loader._iterator = None
            sampler.indices = sampler._indices_of_rank()
            trained = loop.iter * loader.batch_sampler.batch_size
            deque(itertools.islice(sampler.indices, trained), maxlen=0)
            self._batches.number = loop.iter
            loop.dataloader_iterator = _Continued(loader, self._batches, skips)

    def before_train_epoch(self, runner) -> None:
        """Seed the loading of an epoch's samples.

        Args:
            runner: The runner.
        """
        if self._batches is not None and self._batches.length is not None:
            self._batches.epoch = runner.epoch
            self._batches.seed()

    def before_train_iter(self, runner, batch_idx, data_batch=None) -> None:
        """Seed the random numbers of an iteration.

        Args:
            runner: The runner.
            batch_idx: Not used.
            data_batch: Not used. Defaults to None.
        """
        _seed_all(*self._key, TRAINING, runner.iter)

# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""What rules ask about a config, computed when it is asked for."""

from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from importlib import import_module

import numpy as np
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.runner import EpochBasedTrainLoop, IterBasedTrainLoop
from torch import nn

from mmhires.dryrun.attempts import tried
from mmhires.dryrun.config_tree import component, first, import_scope, part_of
from mmhires.dryrun.meta_device import build_model
from mmhires.dryrun.random_batch import cropped, draw_batch, reduced_size, take_through
from mmhires.tasks import find_task
from mmhires.utils.input_channels import input_channels

from .components import misfits
from .datasets import SPLITS, DataSet, epoch_length, find_datasets
from .diagnosis import diagnose, is_certain
from .finding import Finding
from .trial import Trial

# Side of images that are run with real values.
LARGEST = 256
# What loaders and schedules cannot be compared without.
LOOPS = (
    'train_cfg',
    'param_scheduler',
    *(
        f'{split}_dataloader.{part}'
        for split in SPLITS
        for part in ('sampler', 'batch_sampler', 'collate_fn')
    ),
)


class Context:
    """A config with everything that rules want to know of it.

    Args:
        cfg: The whole config. What it imports is imported.
        labels: Number of labels of each data set to look into.

    Attributes:
        cfg: The whole config.
        task: Of the config.
        import_errors: Errors of ``custom_imports``.
    """

    def __init__(self, cfg: Config, labels: int = 1) -> None:
        self.cfg, self.labels = cfg, labels
        self.task = find_task(cfg)
        import_scope(cfg.default_scope)
        tries = (tried(import_module, name) for name in self.imports)
        self.import_errors = [error for _, error in tries if error]

    @property
    def imports(self) -> list[str]:
        """Names of ``custom_imports``."""
        names = part_of(self.cfg, 'custom_imports.imports') or []
        return [names] if isinstance(names, str) else names

    @cached_property
    def datasets(self) -> list[DataSet]:
        """Data sets of all splits, wrappers too."""
        return list(find_datasets(self.cfg, self.labels))

    @cached_property
    def metas(self) -> dict[str, dict]:
        """Meta information of data sets, by key."""
        metas = {}
        for dataset in self.datasets:
            within = any(dataset.key.startswith(f'{outer}.') for outer in metas)
            if dataset.meta is not None and not within:
                metas[dataset.key] = dataset.meta
        return metas

    @property
    def meta(self) -> dict:
        """Meta information of the training data, if there is any."""
        return next(iter(self.metas.values()), {})

    @cached_property
    def lengths(self) -> dict[str, int]:
        """Number of samples in an epoch, by loader, where it is known."""
        leaves = {
            dataset.key: len(dataset.listed[0]) for dataset in self.datasets if dataset.is_leaf
        }
        lengths = {
            f'{split}_dataloader': epoch_length(self.cfg, f'{split}_dataloader.dataset', leaves)
            for split in SPLITS
        }
        return {key: length for key, length in lengths.items() if length}

    def samples(self, *splits: str) -> Iterator[dict]:
        """Iterate over samples as the pipelines of some splits give them."""
        for dataset in self.datasets:
            if dataset.split in splits:
                yield from dataset.packed[0]

    @cached_property
    def built(self) -> tuple[nn.Module | None, Exception | None]:
        """The model on the meta device, or the error of building it."""
        return tried(build_model, self.cfg.model)

    @property
    def model(self) -> nn.Module | None:
        """The model on the meta device, if it can be built."""
        return self.built[0]

    @cached_property
    def channels(self) -> int:
        """Channels of the images that the model takes."""
        return input_channels(self.model)

    def smallest_batch(self, length: int | None = None) -> int:
        """Return the number of images in the smallest training batch.

        Args:
            length: Number of samples in an epoch, if known.
        """
        loader = self.cfg.get('train_dataloader') or {}
        size = loader.get('batch_size') or 1
        if not isinstance(size, int):
            return 2
        endless = 'Infinite' in str(part_of(loader, 'sampler.type'))
        if length and not endless and not loader.get('drop_last'):
            return min(size, length % size or size)
        return size

    def draw(self, *args, **kwargs) -> dict | None:
        """Call :func:`draw_batch` for this config and its model."""
        return draw_batch(self.cfg, self.meta, self.channels, *args, **kwargs)

    @cached_property
    def trial(self) -> Trial | None:
        """The model on the meta device with full-size random images.

        None where it cannot be built or random images do not suit it.
        """
        if self.model is None:
            return None
        batch = self.draw(min(self.smallest_batch(), 2))
        return batch and Trial(
            self.task, self.model, self.cfg.model, batch, self.tests or [_first_image(batch)]
        )

    @cached_property
    def small_trial(self) -> Trial | None:
        """The model with real weights and small images, on the CPU.

        None of models without a backbone, which would take hours.
        """
        if not hasattr(self.model, 'backbone'):
            return None
        model = build_model(self.cfg.model, allocate=True)
        pad = getattr(model.data_preprocessor, 'size', None)
        pad = None if isinstance(pad, int) else pad  # a finding
        batch = self.draw(limit=LARGEST, pad=pad)
        if batch and pad:
            model.data_preprocessor.size = reduced_size(pad, LARGEST)
        batch = batch or self.trial.batch
        return Trial(self.task, model, self.cfg.model, batch, [_first_image(batch)])

    @cached_property
    def training_findings(self) -> list[Finding]:
        """Why no training step works; empty if one does or none is run."""
        if self.trial is None or self.trial.step.error is None:
            return []
        findings = list(diagnose(self.trial))
        if is_certain(findings) or self.small_trial is None:
            return findings
        return list(diagnose(self.small_trial))

    @cached_property
    def tests(self) -> list[dict]:
        """Batches of one image or crop as validation and test give them.

        Of the data sets where their files are there, otherwise drawn; empty where drawn images do
        not suit the model.
        """
        cfg = self.cfg
        if not self.task.suits_drawn_images(cfg.model):
            return []
        samples = self._fitting(self.samples('val', 'test'))
        for split in ('val', 'test'):
            steps = first(cfg.get(f'{split}_dataloader'), 'pipeline')
            if (
                not samples
                and isinstance(steps, (list, tuple))
                and any('Load' in str(step.get('type')) for step in steps)
            ):
                samples = self._fitting(take_through(self.task, steps, self.meta, self.channels))
        tests = [pseudo_collate([sample]) for sample in samples]
        test_cfg = cfg.model.get('test_cfg') or {}
        if test_cfg.get('mode') == 'slide' and 'crop_size' in test_cfg:
            # Windows are of one size: a few of them stand for all.
            side = sum(int(np.max(test_cfg.get(name, 0))) for name in ('crop_size', 'stride'))
            return [small_test(test, side + 64) for test in tests]
        return tests

    def _fitting(self, samples: Iterable[dict]) -> list[dict]:
        """Return the samples of as many channels as the model takes."""
        return [sample for sample in samples if len(sample.get('inputs', ())) == self.channels]

    @property
    def loop(self) -> type | None:
        """Class of the training loop, if there is one that is known."""
        train_cfg = self.cfg.get('train_cfg')
        if not train_cfg:
            return None
        if 'type' in train_cfg:
            return component(train_cfg['type'])
        by_epoch = train_cfg.get('by_epoch', True)
        return EpochBasedTrainLoop if by_epoch else IterBasedTrainLoop

    @cached_property
    def misfits(self) -> list[Finding]:
        """Components of the runner that do not take their arguments."""
        return list(misfits(self.cfg))

    def fits(self, *keys: str) -> bool:
        """Return whether the runner's components of some keys are built.

        Args:
            keys: Such as ``'optim_wrapper'``, with all that is below it.
        """
        return not any(
            f'{finding.key}.'.startswith(tuple(f'{key}.' for key in keys))
            for finding in self.misfits
        )


def small_test(test: dict, limit: int) -> dict:
    """Cut a test batch of segmentation to sides of about a limit."""
    if not hasattr(test['data_samples'][0], 'gt_sem_seg'):
        return test
    sample = {name: values[0] for name, values in test.items()}
    size = reduced_size(sample['inputs'].shape[-2:], limit)
    return pseudo_collate([cropped(sample, size)])


def _first_image(batch: Mapping) -> dict:
    """Return the first image of a training batch as a test image."""
    sample = batch['data_samples'][0].clone()
    if 'img_shape' in sample:  # a torch.Size is taken for a window's
        sample.set_metainfo(dict(img_shape=tuple(sample.img_shape)))
    return dict(inputs=batch['inputs'][:1], data_samples=[sample])

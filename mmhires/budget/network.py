# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""A trained segmentor, its test images and its input sizes."""

import copy
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.evaluator import Evaluator
from mmengine.structures import BaseDataElement
from torch.utils.data import Dataset

from mmhires.analysis import count_macs, image_areas, network_input
from mmhires.deploy.original import own_scope
from mmhires.registry import DATASETS, MODELS
from mmhires.tasks import find_task
from mmhires.utils.progress import track
from mmhires.utils.quiet import silence
from mmhires.utils.ratio import as_ratio, full_step
from mmhires.zoo import load_model

PREPROCESSORS = ('SegDataPreProcessor', 'LowResSegDataPreProcessor')
_TESTED = ('model', 'test_dataloader', 'test_evaluator', 'custom_imports')


class InputSize(NamedTuple):
    """How a network sees an image.

    Attributes:
        scale: Full-size image : network input.
        shape: Network input ``(1, C, H, W)``.
        macs: Multiply-accumulates of it.
    """

    scale: int | float
    shape: tuple[int, ...]
    macs: int

    @property
    def name(self) -> str:
        """Height and width."""
        return '{2}x{3}'.format(*self.shape)


class TrainedNetwork:
    """A segmentor with the weights of a checkpoint, on what its config tests.

    Args:
        cfg: A complete config.
        name: Of the config, for errors.
        checkpoint: As of :func:`load_model`.

    Attributes:
        model: In eval mode.
        scale: Of its own data preprocessor.
        dataset: Of the test.
        image_size: Height and width of the first test image, or of the window that slides over the
            images.

    Raises:
        FileNotFoundError: There is no such checkpoint or data set.
        ValueError: Not a segmentor, a checkpoint of another network, a data set without images, or
            a data preprocessor that cannot reduce.
    """

    def __init__(self, cfg: Config, name: str, checkpoint: str) -> None:
        task = find_task(cfg)
        if task is None or task.crops:
            raise ValueError(
                f'{name}: only segmentors can be tried at other sizes: the codec of a pose network '
                'is bound to the size of its crops. Train one for smaller crops (mmhires adapt '
                'dsrl) and compare (mmhires compare)'
            )
        for key in ('test_dataloader', 'test_evaluator'):
            if not cfg.get(key):
                raise ValueError(f'{name}: has no {key}')
        with silence():
            self.model = load_model(cfg, checkpoint, 'cpu')
        self.name, self.cfg = name, cfg
        self.own = self.model.data_preprocessor
        if type(self.own).__name__ not in PREPROCESSORS or getattr(
            self.own, 'low_res_input', False
        ):
            raise ValueError(
                f'{name}: images are not reduced by {type(self.own).__name__}, but by '
                f'{" or ".join(PREPROCESSORS)}'
            )
        self.scale = getattr(self.own, 'scale', 1)
        self.dataset = _test_dataset(cfg, name)
        self.image_size = tuple(self.dataset[0]['inputs'].shape[-2:])
        self.slides = self.model.test_cfg.get('mode') == 'slide'
        if self.slides:
            self.image_size = tuple(self.model.test_cfg['crop_size'])
        self._macs: dict[tuple[int, ...], int] = {}

    def reduce(self, scale: float, stride: int = 1) -> None:
        """Have the network see its images smaller.

        Args:
            scale: Full-size image : network input; its own restores the data preprocessor of the
                config.
            stride: Image : coarsest map, which sizes are a multiple of.
        """
        self.model.data_preprocessor = self.own
        if scale == self.scale:
            return
        source = dict(self.cfg.model.data_preprocessor)
        for key in ('type', 'scale', 'size', 'size_divisor', 'test_cfg'):
            source.pop(key, None)
        step = full_step(as_ratio(scale), stride)
        source.update(
            type='mmhires.LowResSegDataPreProcessor',
            scale=scale,
            min_size=min(stride, source.get('min_size', stride)),
            test_cfg=dict(size_divisor=step),
        )
        self.model.data_preprocessor = MODELS.build(source)

    def input_shape(self) -> tuple[int, ...]:
        """Shape ``(1, C, H, W)`` in which it sees an image as it is set."""
        return network_input(self.model, self.image_size, padded=not self.slides)

    def input_size(self) -> InputSize:
        """The same with its cost, which takes a moment."""
        shape = self.input_shape()
        if shape not in self._macs:
            self._macs[shape] = count_macs(self.model, shape)
        scale = getattr(self.model.data_preprocessor, 'scale', 1)
        return InputSize(scale, shape, self._macs[shape])

    def tested(self) -> dict:
        """The part of the config that decides what :meth:`evaluate` gives."""
        parts = {key: self.cfg.get(key) for key in _TESTED}
        return Config(parts).to_dict()

    def evaluate(self, indices: Sequence[int], text: str) -> dict:
        """Test on some of the images.

        Args:
            indices: Of the images.
            text: What stands before the bar.

        Returns:
            ``metrics`` by name, and ``areas`` of :func:`~mmhires.analysis.image_areas`.
        """
        with own_scope(self.cfg), torch.no_grad():
            with silence():  # about names of metrics
                evaluator = Evaluator(_with_areas(self.cfg.test_evaluator))
            evaluator.dataset_meta = self.dataset.metainfo
            for index in track(indices, text=text):
                batch = pseudo_collate([self.dataset[index]])
                evaluator.process(self.model.test_step(batch), batch)
            with silence():  # tables
                metrics = evaluator.evaluate(len(indices))
        return dict(
            metrics={name: float(value) for name, value in metrics.items()},
            areas=image_areas(evaluator),
        )

    def predict(self, index: int) -> tuple[np.ndarray, BaseDataElement]:
        """One test image.

        Args:
            index: Its number.

        Returns:
            The image ``(C, H, W)`` as the pipeline gives it, and the data sample with prediction
            and truth.
        """
        with own_scope(self.cfg), torch.no_grad():
            data = self.dataset[index]
            sample = self.model.test_step(pseudo_collate([data]))[0]
        return data['inputs'].numpy(), sample


def _test_dataset(cfg: Config, name: str) -> Dataset:
    """The images that a config tests on, at least one."""
    try:
        with own_scope(cfg):
            dataset = DATASETS.build(copy.deepcopy(cfg.test_dataloader.dataset))
    except ValueError as error:
        # What MMEngine packs must not be empty.
        if 'need at least one array' not in str(error):
            raise
        dataset = ()
    if not len(dataset):
        raise ValueError(f'{name}: the test data set is empty')
    return dataset


def _with_areas(metrics: dict | Sequence[dict]) -> list[dict]:
    """Metrics, of which MMSegmentation's plain mIoU keeps areas too."""
    metrics = metrics if isinstance(metrics, (list, tuple)) else [metrics]
    metrics = [dict(metric) for metric in metrics]
    for metric in metrics:
        if (
            metric.get('type') == 'IoUMetric'
            and metric.keys() <= {'type', 'iou_metrics'}
            and metric.get('iou_metrics', ['mIoU']) == ['mIoU']
        ):
            metric['type'] = 'mmhires.ClasswiseIoUMetric'
    return metrics

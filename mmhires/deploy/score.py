# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Score by which an int8 file is judged."""

import copy
import inspect
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import mean

import numpy as np
import torch
from mmengine.config import ConfigDict
from mmengine.evaluator import Evaluator
from mmengine.registry import DATASETS, METRICS, Registry
from mmengine.structures import PixelData
from torch import nn

from mmhires.tasks import task_of

from .original import agreement, original_prediction, own_scope
from .predictor import Predictor


def make_score(
    model: nn.Module, images: Sequence[str | Path], count: int
) -> tuple[str, Callable[[Predictor], float]]:
    """Return the function by which :func:`quantize` judges a file.

    It is the mIoU where the config of a segmentor has a metric that says it, and the pictures of
    its test data set are there; else, as of pose models and of data sets that draw their pictures,
    how far the file agrees with the model.

    Args:
        model: From :func:`load_model`; its config stays as it is.
        images: Pictures to compare on where there is no mIoU.
        count: Labelled images to test on, at most.

    Returns:
        Its name, ``'mIoU'`` or ``'agreement'``, and the score of a predictor in percent.

    Raises:
        ValueError: No picture has anything that is certain to compare.
    """
    cfg = copy.deepcopy(model.cfg)
    with own_scope(cfg):
        if has_labelled_pictures(model, cfg):
            return 'mIoU', _miou(cfg, count)
    wanted = [original_prediction(model, str(path)) for path in images]

    def agree(predictor: Predictor) -> float:
        shares = [agreement(want, predictor(image))[0] for want, image in zip(wanted, images)]
        shares = [share for share in shares if not np.isnan(share)]
        if not shares:
            raise ValueError(
                'no keypoint of any picture is certain, so that there is nothing to compare int8 by'
            )
        return 100 * mean(shares)

    return 'agreement', agree


def has_labelled_pictures(model: nn.Module, cfg: ConfigDict) -> bool:
    """Return whether a config has labelled test pictures and an mIoU."""
    loader = cfg.get('test_dataloader')
    if task_of(model).crops or not loader:
        return False
    metrics = cfg.get('test_evaluator') or ()
    metrics = metrics if isinstance(metrics, (list, tuple)) else [metrics]
    return any(map(_says_miou, metrics)) and all(map(_is_there, _leaves(loader['dataset'])))


def _says_miou(metric: dict) -> bool:
    from mmseg.evaluation import IoUMetric

    names = metric.get('iou_metrics', ['mIoU'])
    return (
        issubclass(_class(METRICS, metric['type']), IoUMetric)
        and 'mIoU' in names
        and not metric.get('format_only')
        and not metric.get('prefix')
    )


def _class(registry: Registry, kind: str | type) -> type:
    """Return the class of a config, ``object`` if it is unknown."""
    if not isinstance(kind, type):
        kind = registry.get(kind) or registry.get(f'mmseg.{kind}')
    return kind if isinstance(kind, type) else object


def _leaves(dataset: dict) -> list[dict]:
    """Yield the data sets within ``ConcatDataset`` and other wrappers."""
    inner = dataset.get('datasets') or dataset.get('dataset')
    if not inner:
        return [dataset]
    inner = inner if isinstance(inner, (list, tuple)) else [inner]
    return [leaf for part in inner for leaf in _leaves(part)]


def _is_there(dataset: dict) -> bool:
    """Return whether the folders and the list of a data set exist."""
    cls = _class(DATASETS, dataset['type'])
    loads = any('LoadAnnotations' in str(step['type']) for step in dataset.get('pipeline') or ())
    root, prefix, listed = (
        _argument(cls, dataset, name) for name in ('data_root', 'data_prefix', 'ann_file')
    )
    labels = (prefix or {}).get('seg_map_path')
    if not loads or labels is None or not (root or labels):
        return False  # it has no labels, or draws its pictures
    parts = labels, prefix.get('img_path') or '', listed or ''
    return all(Path(root or '', part).exists() for part in parts)


def _argument(cls: type, cfg: dict, name: str) -> object:
    """Return an argument of a config, or its default in the class or its bases."""
    if name in cfg:
        return cfg[name]
    for base in cls.__mro__:
        own = inspect.signature(base.__init__).parameters.get(name)
        if own is not None and own.default is not own.empty:
            return own.default
    return None


def _miou(cfg: ConfigDict, count: int) -> Callable[[Predictor], float]:
    """Compute the mIoU on some of the test pictures."""
    dataset = DATASETS.build(cfg.test_dataloader.dataset)
    picked = np.linspace(0, len(dataset) - 1, min(count, len(dataset)))
    samples = [dataset[int(i)]['data_samples'] for i in picked]

    def miou(predictor: Predictor) -> float:
        with own_scope(cfg):
            evaluator = Evaluator(copy.deepcopy(cfg.test_evaluator))
        evaluator.dataset_meta = dataset.metainfo
        for sample in samples:
            labels = torch.from_numpy(predictor(sample.img_path))
            sample.pred_sem_seg = PixelData(data=labels[None].long())
        return float(evaluator.offline_evaluate(samples)['mIoU'])

    return miou

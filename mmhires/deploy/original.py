# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Predictions of the original model, and how well a file agrees with them."""

import copy
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING

import numpy as np

from mmhires.tasks import task_of

if TYPE_CHECKING:
    from mmengine.config import Config
    from torch import nn

# Keypoints agree up to this part of the longer side of the image.
KEYPOINT_TOLERANCE = 1e-3
# Heatmap cells that are as high as the peak up to this part of it could be
# the peak after rounding, by the precision that a file computes in.
UNCERTAIN = dict(fp32=1e-4, fp16=1e-2, bf16=1e-1)
# What MMSegmentation writes into a config where images are arrays.
_LOADERS = ('LoadImageFromNDArray', 'InferencerLoader')


def original_prediction(model: 'nn.Module', path: str):
    """Return the original model's labels, or its sample of keypoints.

    The model's config stays as it is, and need not be as it was: of an image that is an array,
    ``inference_model`` of MMSegmentation changes it.
    """
    path = str(path)
    with _own_config(model):
        return task_of(model).predict(model, path)


def agreement(want, found, precision: str = 'fp32') -> tuple[float, int]:
    """Return the share of equal pixels or keypoints.

    Keypoints at a place where the original model's heatmap is as high as at its peak are left out:
    rounding decides between the two. If all are, the share is nan.

    Args:
        want: From :func:`original_prediction`.
        found: From a :class:`Predictor`.
        precision: That the file computes in. Default: ``'fp32'``.

    Returns:
        The share, and the number that are left out.
    """
    if isinstance(want, np.ndarray):
        return float((found == want).mean()), 0
    off = np.abs(found.keypoints - want.pred_instances.keypoints).max(-1)
    same = off <= KEYPOINT_TOLERANCE * want.input_scale.max()
    uncertain = ~same & _as_high(want, found.keypoints[0], UNCERTAIN[precision])
    certain = same[~uncertain]
    share = float(certain.mean()) if certain.size else float('nan')
    return share, int(uncertain.sum())


def _as_high(want, keypoints: np.ndarray, margin: float) -> np.ndarray:
    """Return whether a model has a second peak at each place ``(K, 2)``."""
    heatmaps = want.pred_fields.heatmaps.cpu().numpy()
    count, height, width = heatmaps.shape
    corner = want.input_center - want.input_scale / 2
    places = (keypoints - corner) / want.input_scale * [width, height]
    rows, columns = np.indices((height, width))
    found = np.zeros(count, bool)
    for i, (heatmap, (x, y)) in enumerate(zip(heatmaps, places)):
        peak = np.unravel_index(heatmap.argmax(), heatmap.shape)
        # Within a cell of the peak it would be decoding that differs.
        away = np.maximum(abs(rows - peak[0]), abs(columns - peak[1])) > 1
        near = (abs(columns - x) <= 1.5) & (abs(rows - y) <= 1.5) & away
        least = heatmap[peak] - margin * abs(heatmap[peak])
        found[i] = near.any() and heatmap[near].max() >= least
    return found


def own_scope(cfg: 'Config') -> AbstractContextManager:
    """Resolve names in the package that a config belongs to.

    A model of another package may have been built since.
    """
    from mmengine.registry import DefaultScope

    return DefaultScope.overwrite_default_scope(cfg.get('default_scope') or 'mmseg')


@contextmanager
def _own_config(model: 'nn.Module') -> Iterator[None]:
    """Give a model a config for files for a while."""
    cfg = model.cfg
    model.cfg = copy.deepcopy(cfg)
    for step in model.cfg.get('test_pipeline', ()):
        if step['type'] in _LOADERS:
            step['type'] = 'LoadImageFromFile'
    try:
        with own_scope(cfg):
            yield
    finally:
        model.cfg = cfg

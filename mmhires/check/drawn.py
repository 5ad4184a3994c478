# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Training samples drawn at random, taken through a config's own pipeline."""
import copy
from contextlib import suppress

import numpy as np
import torch
from mmengine.dataset import Compose, pseudo_collate

from .sizes import training_size
from .walk import first

SIZE = 512, 1024


def draw_batch(cfg, meta: dict, limit: int | None = None) -> dict | None:
    """What a data loader would hand to the model, without any file.

    Transforms that load are left out, and those that cannot be built; the
    others are the config's.

    Args:
        cfg (Config): The whole config.
        meta (dict): Meta information of the training data.
        limit (int, optional): Of segmentation, about the size above which
            images are made smaller, by a multiple of 64. Default: None.

    Returns:
        dict | None: ``inputs`` and ``data_samples`` of two images; None where
        the config trains in a way that random people do not fit.
    """
    scope, size = cfg.get('default_scope'), training_size(cfg)
    if scope == 'mmpretrain':
        return _classified(size)
    if scope == 'mmpose' and cfg.model.type != 'TopdownPoseEstimator':
        return None
    steps = first(cfg.get('train_dataloader'), 'pipeline')
    steps = steps if isinstance(steps, (list, tuple)) else ()
    kept = [step for step in steps if 'Load' not in str(step['type'])]
    pipelines, draw = [kept] if len(kept) < len(steps) else [], _with_keypoints
    if scope == 'mmseg':
        draw = _segmented
        if limit is not None:
            size = [min(side, limit - 64 + side % 64) for side in size]
            pipelines.clear()
        pipelines.append([
            dict(type='Resize', scale=tuple(size[::-1])),
            dict(type='PackSegInputs')
        ])
    for pipeline in pipelines:
        transforms = []
        for step in pipeline:
            with suppress(Exception):  # of which the check of the data tells
                transforms.append(Compose([copy.deepcopy(step)]))
        with suppress(Exception):  # not made for such a sample
            pipeline = Compose(transforms)
            return pseudo_collate([pipeline(draw(meta)) for _ in range(2)])
    return None


def _image() -> dict:
    image = np.random.randint(0, 256, (*SIZE, 3), dtype=np.uint8)
    return dict(
        img=image,
        img2=image,  # for the detection of changes
        img_shape=SIZE,
        ori_shape=SIZE,
        img_path='drawn',
        img_id=0)


def _segmented(meta: dict) -> dict:
    """An image of class 0 and, on the right, class 1; all of depth 1."""
    label = np.zeros(SIZE, np.uint8)
    label[:, SIZE[1] // 2:] = 1
    return dict(
        _image(),
        gt_seg_map=label,
        gt_depth_map=np.ones(SIZE, np.float32),
        seg_map_path='drawn',
        seg_fields=['gt_seg_map', 'gt_depth_map'],
        reduce_zero_label=False,
        label_map=None)


def _with_keypoints(meta: dict) -> dict:
    """A person that fills a part of the image."""
    keypoints = meta['num_keypoints']
    low, high = np.array([[400, 100], [600, 400]])
    points = np.random.uniform(low, high, (1, keypoints, 2))
    return dict(
        _image(),
        **meta,
        id=0,
        category_id=1,
        bbox=np.array([[*low, *high]], np.float32),
        bbox_score=np.ones(1, np.float32),
        keypoints=points.astype(np.float32),
        keypoints_visible=np.ones((1, keypoints), np.float32),
        area=np.float32(60000),
        iscrowd=0,
        head_size=np.array([[60.]], np.float32))


def _classified(size: tuple[int, int]) -> dict:
    from mmpretrain.structures import DataSample
    return dict(
        inputs=torch.randint(0, 256, (2, 3, *size)),
        data_samples=[DataSample().set_gt_label(0) for _ in range(2)])

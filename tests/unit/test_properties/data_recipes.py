# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Recipes of data sets, metrics and parts of the training loop."""

import tempfile
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from hypothesis import strategies as st
from judging import (
    BAD_FILE,
    BAD_LABEL,
    BAD_SETTING,
    DTYPE,
    EMPTY,
    IGNORED,
    NAN,
    ONE_PIXEL,
    ORDINARY,
    Recipe,
    draw_batch_size,
    draw_label,
    draw_size,
    draw_tensor,
)
from mmengine.registry import DefaultScope
from PIL import Image

from mmhires.registry import DATASETS, METRICS, OPTIM_WRAPPERS

CLASSES = tuple('abcde')
PIPELINE = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations'),
    dict(type='PackSegInputs'),
]


def files_dataset(draw, kind, name):
    """A dataset of one or two files, one of which may be bad."""
    count, size = draw(st.integers(1, 2)), draw_size(draw, kind, 12)
    labels = [draw_label(draw, kind, size, bad=(12, 100, 254)).numpy() for _ in range(count)]
    damage = draw(st.sampled_from(['cut image', 'cut label', 'empty label', 'size']))
    victim = draw(st.integers(0, count - 1))

    def run():
        with tempfile.TemporaryDirectory() as folder, DefaultScope.overwrite_default_scope('mmseg'):
            root = Path(folder)
            for i, label in enumerate(labels):
                _write(root, i, label)
            if kind == BAD_FILE:
                _damage(root, victim, damage, labels[victim])
            dataset = _dataset(root, name)
            loaded = list(islice(dataset, len(dataset)))  # some have no end
        found = [sample['data_samples'].gt_sem_seg.data for sample in loaded]
        assert all(any(np.array_equal(one[0], label) for label in labels) for one in found)
        return found

    return run


def _write(root, index, label):
    for kind, array in (
        ('images', np.full((*label.shape, 3), 9, np.uint8)),
        ('labels', label.astype(np.uint8)),
    ):
        (root / kind).mkdir(exist_ok=True)
        Image.fromarray(array).save(root / kind / f'sample{index}.png')


def _damage(root, index, damage, label):
    paths = {kind: root / kind / f'sample{index}.png' for kind in ('images', 'labels')}
    if damage == 'size':
        Image.fromarray(np.zeros((label.shape[0] + 1, label.shape[1]), np.uint8)).save(
            paths['labels']
        )
        return
    path = paths['images' if damage == 'cut image' else 'labels']
    data = path.read_bytes()
    path.write_bytes(b'' if damage == 'empty label' else data[: len(data) // 3])


def _dataset(root, name):
    files = dict(
        type='mmhires.CheckedSegDataset',
        data_root=str(root),
        img_suffix='.png',
        data_prefix=dict(img_path='images', seg_map_path='labels'),
        metainfo=dict(classes=CLASSES),
        pipeline=PIPELINE,
        serialize_data=False,
    )  # which collects all garbage
    if name == 'CamVidDataset':
        files.update(type='mmhires.CamVidDataset', metainfo={})
    if name == 'ClassBalancedSegDataset':
        files = dict(type='mmhires.ClassBalancedSegDataset', oversample_thr=0.5, dataset=files)
    if name == 'PartlyLabelledDataset':  # its batches are in its own tests
        files = dict(type=f'mmhires.{name}', unlabelled=str(root / 'images'), dataset=files)
    return DATASETS.build(files)


def streets(draw, kind):
    good = dict(
        size=(draw(st.integers(32, 40)), draw(st.integers(32, 40))),
        seed=draw(st.integers(0, 2**31)),
        split=draw(st.sampled_from(['train', 'val', 'test'])),
        supersample=1,
        void=draw(st.booleans()),
        length=2,
    )
    bad = draw(
        st.sampled_from(
            [
                dict(size=(31, 64)),
                dict(size=(64,)),
                dict(length=0),
                dict(seed=-1),
                dict(split='trainval'),
                dict(supersample=0),
            ]
        )
    )

    settings = {**good, **(bad if kind == BAD_SETTING else {})}

    def run():
        with DefaultScope.overwrite_default_scope('mmseg'):
            dataset = DATASETS.build(
                dict(
                    type='mmhires.StreetsDataset',
                    pipeline=[dict(type='PackSegInputs')],
                    serialize_data=False,
                    **settings,
                )
            )
            return [sample['inputs'] for sample in dataset]

    return run


def iou_metric(draw, kind, name, **options):
    metric = METRICS.build(dict(type=f'mmhires.{name}', groups=dict(all=CLASSES), **options))
    metric.dataset_meta = dict(classes=CLASSES)
    count, size = draw_batch_size(draw, kind), draw_size(draw, kind)
    samples = []
    for _ in range(count):
        label = draw_label(draw, kind, (1, *size))
        if kind != IGNORED:
            label[..., 0] = 0
        predicted = draw_label(draw, NAN, (1, *size))
        samples.append(dict(pred_sem_seg=dict(data=predicted), gt_sem_seg=dict(data=label)))

    def run():
        metric.process({}, samples)
        scores = metric.evaluate(max(1, count))
        assert all(0 <= score <= 100 for score in scores.values())
        return scores

    return run


def super_resolution_metric(draw, kind):
    metric = METRICS.build(dict(type='mmhires.SuperResolutionMetric', scale=2))
    size = draw_size(draw, kind, 20)
    if kind == ORDINARY:
        size = [12 + side for side in size]
    torch.manual_seed(draw(st.integers(0, 2**16)))
    images, rebuilt = 255 * torch.rand(2, 2, 3, *size)

    def run():
        metric.process(
            dict(inputs=images.byte()), [dict(pred_img=dict(data=image)) for image in rebuilt]
        )
        return metric.evaluate(2)

    return run


def bf16(draw, kind):
    torch.manual_seed(draw(st.integers(0, 2**16)))
    model = torch.nn.Linear(4, 2)
    wrapper = OPTIM_WRAPPERS.build(
        dict(
            type='mmhires.BF16OptimWrapper', optimizer=torch.optim.SGD(model.parameters(), lr=0.01)
        )
    )
    x = draw_tensor(draw, kind, (draw_batch_size(draw, kind), 4))

    def run():
        with wrapper.optim_context(model):
            loss = model(x).square().mean()
        wrapper.update_params(loss)
        return [loss, *model.parameters()]

    return run


NAMES = ('CheckedSegDataset', 'CamVidDataset', 'ClassBalancedSegDataset', 'PartlyLabelledDataset')
SEEN = (ORDINARY, ONE_PIXEL, EMPTY, DTYPE, IGNORED)
FILES = (ORDINARY, ONE_PIXEL, IGNORED, BAD_LABEL, BAD_FILE)
DATA = {
    **{name: Recipe(partial(files_dataset, name=name), FILES, 10) for name in NAMES},
    **{
        name: Recipe(partial(iou_metric, name=name, **options), SEEN, 15, refuses=(EMPTY, IGNORED))
        for name, options in dict(
            ClasswiseIoUMetric={},
            BoundaryIoUMetric={},
            MappedIoUMetric=dict(class_map=[*CLASSES[1:], None]),
        ).items()
    },
    'StreetsDataset': Recipe(streets, (ORDINARY, BAD_SETTING), 8),
    'SuperResolutionMetric': Recipe(
        super_resolution_metric, (ORDINARY, ONE_PIXEL), 10, needs=('skimage',)
    ),
    'BF16OptimWrapper': Recipe(bf16, (ORDINARY, NAN), 20),
}

# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""The model of a config: built and run, and what is wrong where it cannot."""
import copy
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace

import numpy as np
import torch
from mmengine.registry import MODELS
from torch import Tensor, nn

from mmhires.models.backbones import DDRNet

from . import probe
from .drawn import draw_batch
from .problem import Problem, from_error

PARTS = ('data_preprocessor', 'backbone', 'neck', 'decode_head',
         'auxiliary_head', 'head')
LARGEST = 256


def build(cfg) -> tuple[nn.Module | None, list[Problem]]:
    """Build the model; if that fails, each part, to tell which ones do.

    Args:
        cfg (Config): The whole config.

    Returns:
        tuple[nn.Module | None, list[Problem]]: The model on the meta device,
        or None and problems.
    """
    try:
        return probe.build(cfg.model), []
    except Exception as error:
        whole = from_error('model', error)
    problems = []
    for name in PARTS:
        parts = cfg.model.get(name)
        several = isinstance(parts, (list, tuple))
        for i, part in enumerate(parts if several else [parts]):
            if isinstance(part, Mapping):
                try:
                    MODELS.build(copy.deepcopy(part))
                except Exception as error:
                    problems.append(
                        from_error(
                            f'model.{name}.{i}'
                            if several else f'model.{name}', error))
    return None, problems or [whole]


def run(cfg, model: nn.Module, meta: dict) -> list[Problem]:
    """Train a step and predict, with images drawn at random.

    On the meta device first, at the full size and in no time. Only where that
    fails, real tensors follow, of a corner of the images, then of all, and
    then part by part: what runs is no problem.

    Args:
        cfg (Config): The whole config.
        model (nn.Module): What :func:`build` made of it.
        meta (dict): Meta information of the training data.

    Returns:
        list[Problem]: What fails, heads apart from each other.
    """
    batch = draw_batch(cfg, meta)
    if batch is None:
        return []
    try:
        with probe.shapes_only():
            return _run(model, batch) or _heatmap_size(model, batch)
    except Exception as error:
        first = error
    if not hasattr(model, 'backbone'):
        # SAN: hours on a CPU, and no parts that others have.
        seen = 'meta' in str(first).lower()
        return [] if seen else [from_error('model', first)]
    model = probe.build(cfg.model, allocate=True)
    whole_size = getattr(model.data_preprocessor, 'size', None)
    corner = _corner(batch, whole_size)
    with torch.no_grad():
        for size in [None] if corner is None else [corner, None]:
            try:
                return _run(model, _cut(model, batch, size))
            except Exception as error:
                whole = error
            model.data_preprocessor.size = whole_size
            if str(whole)[:30] == str(first)[:30]:
                break  # it does not take the full size to fail
        with suppress(Exception):  # where heatmaps have the wrong size
            if sizes := _heatmap_size(model, batch):
                return sizes
        return _diagnose(model, _cut(model, batch,
                                     corner)) or [from_error('model', whole)]


def unread_maps(model: nn.Module) -> list[Problem]:
    """Find branches of our DDRNet that no head reads.

    Args:
        model (nn.Module): What :func:`build` made.

    Returns:
        list[Problem]: One warning at most.
    """
    backbone = getattr(model, 'backbone', None)
    if not isinstance(backbone, DDRNet) or getattr(model, 'neck', None):
        return []
    count = len(backbone.out_indices)
    read = {
        index % count
        for name in ('decode_head', 'auxiliary_head')
        for part in (getattr(model, name, None) or nn.Identity()).modules()
        for index in np.atleast_1d(getattr(part, 'in_index', ())).astype(int)
    }
    maps = backbone.out_indices
    # The first is on the way to the others.
    unread = [maps[i] for i in range(count) if i not in read and maps[i]]
    if not unread:
        return []
    return [
        Problem(
            'width', 'model.backbone.out_indices',
            f'{maps}, but no head reads {unread}: parameters without gradient '
            'end a training in several processes',
            f'set out_indices={tuple(i for i in maps if i not in unread)}, '
            'and count in_index of the heads in it', True)
    ]


def _run(model: nn.Module, batch: dict) -> list:
    data = model.data_preprocessor(copy.deepcopy(batch), True)
    model.train()
    model.loss(**data)
    model.eval()
    # One image, of the size that training images are padded to.
    sample = data['data_samples'][0]
    if 'img_shape' in sample:  # a torch.Size is taken for a sliding window's
        sample.set_metainfo(dict(img_shape=tuple(sample.img_shape)))
    model.predict(data['inputs'][:1], [sample])
    return []


def _corner(batch: dict, size: tuple | None) -> tuple[int, int] | None:
    """A smaller size for segmentors that leaves over as much by 64."""
    if not all(hasattr(one, 'gt_sem_seg') for one in batch['data_samples']):
        return None
    size = size or [
        max(image.shape[axis] for image in batch['inputs'])
        for axis in (-2, -1)
    ]
    return tuple(side if side <= LARGEST else LARGEST - 64 + side % 64
                 for side in size)


def _cut(model: nn.Module, batch: dict, size: tuple | None) -> dict:
    """The upper left corner of a batch; the model pads to that size then."""
    if size is None:
        return batch
    if model.data_preprocessor.size is not None:
        model.data_preprocessor.size = size
    batch = copy.deepcopy(batch)
    for i, image in enumerate(batch['inputs']):
        batch['inputs'][i] = image = image[..., :size[0], :size[1]]
        sample, shape = batch['data_samples'][i], tuple(image.shape[-2:])
        sample.set_metainfo(dict(ori_shape=shape, img_shape=shape))
        for name, field in sample.items():
            setattr(sample, name,
                    type(field)(data=field.data[..., :size[0], :size[1]]))
    return batch


def _diagnose(model: nn.Module, batch: dict) -> list[Problem]:
    model.train()
    key = 'model.data_preprocessor'
    try:
        data = model.data_preprocessor(copy.deepcopy(batch), True)
        inputs, samples = data['inputs'], data['data_samples']
        key = 'model.backbone'
        maps = model.backbone(inputs)
        widths = _widths(maps)
        if getattr(model, 'neck', None) is not None:
            key = 'model.neck'
            maps = model.neck(maps)
    except Exception as error:
        problem = from_error(key, error, 'size' if 'data' in key else 'width')
        if key != 'model.neck':
            return [problem]
        return [
            replace(
                problem,
                seen=f'{problem.seen} (maps of the backbone are {widths} wide)'
            )
        ]
    problems = []
    for name in ('decode_head', 'auxiliary_head', 'head'):
        heads = getattr(model, name, None)
        previous = ()
        several = isinstance(heads, nn.ModuleList)
        for i, head in enumerate(heads if several else [heads]):
            if head is None:
                continue
            found = _run_head(
                f'model.{name}.{i}' if several else f'model.{name}', head,
                maps, previous, samples)
            problems += found
            if several and name == 'decode_head':  # a cascade
                if found:
                    break
                previous = (head(maps, *previous), )
    if not problems and hasattr(model, 'teacher'):
        try:
            model.loss(inputs, samples)
        except Exception as error:
            problems.append(from_error('model.teacher', error, 'width'))
    if not problems and hasattr(model, 'test_cfg'):
        try:
            _run(model, batch)
        except Exception as error:
            problems.append(from_error('model.test_cfg', error, 'size'))
    return problems


def _widths(maps: Tensor | Sequence[Tensor]) -> list[int]:
    return [x.shape[1] for x in probe.maps_of(maps)]


def _heatmap_size(model: nn.Module, batch: dict) -> list[Problem]:
    """Compare what a head of heatmaps predicts with what is decoded."""
    decoder = getattr(getattr(model, 'head', None), 'decoder', None)
    size = getattr(decoder, 'heatmap_size', None)
    if size is None:
        return []
    data = model.data_preprocessor(copy.deepcopy(batch), False)
    out = model.head(model.extract_feat(data['inputs']))
    if not isinstance(out, Tensor) or out.shape[:1:-1] == tuple(size):
        return []
    return [
        Problem(
            'size', 'model.head.decoder',
            f'heatmap_size={tuple(size)}, but the head predicts '
            f'{tuple(out.shape[:1:-1])} (width, height)',
            'correct codec.heatmap_size or the layers of the head')
    ]


def _run_head(key: str, head: nn.Module, maps, previous: tuple,
              samples: list) -> list[Problem]:
    try:
        head.loss(maps, *previous, samples, train_cfg={})
        return []
    except Exception as error:
        text = str(error)
        problem = from_error(
            key, error,
            'size' if 'pixels' in text or 'heatmap_size' in text else 'width')
    if type(head).__name__ == 'DDRHead':
        return [
            replace(
                problem,
                do="it reads what mmseg's DDRNet returns; mmhires.DAPPMHead "
                'goes with mmhires.DDRNet')
        ]
    problems = []
    for name, part in head.named_modules():
        # A head that wraps another one reads what that one makes.
        if hasattr(part, 'in_index') and hasattr(
                part, 'in_channels') and not hasattr(part, 'wrapped'):
            problems += _check_width(f'{key}.{name}'.rstrip('.'), part,
                                     _widths(maps))
    return problems or [problem]


def _check_width(key: str, head: nn.Module, widths: list[int]) -> list:
    index, transform = head.in_index, getattr(head, 'input_transform', None)
    indices = [index] if isinstance(index, int) else list(index)
    if any(not -len(widths) <= i < len(widths) for i in indices):
        return [
            Problem('width', f'{key}.in_index',
                    f'{index}, but there are {len(widths)} maps',
                    f'choose from 0 to {len(widths) - 1}')
        ]
    wanted = [widths[i] for i in indices]
    if transform == 'resize_concat':
        wanted = sum(wanted)
    elif isinstance(head.in_channels, int):
        wanted = wanted[-1]
    given = head.in_channels
    given = given if isinstance(given, int) else list(given)
    if given == wanted:
        return []
    return [
        Problem(
            'width', f'{key}.in_channels',
            f'{given}, but the maps it reads (in_index={index}) are '
            f'{wanted} wide', f'set in_channels={wanted}')
    ]

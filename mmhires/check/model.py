# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""The model of a config: built and run, and what is wrong where it cannot."""
import copy
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

import numpy as np
import torch
from mmengine.registry import MODELS
from torch import Tensor, nn

from . import probe
from .drawn import draw_batch
from .problem import Problem, Problems, from_error
from .walk import each

PARTS = ('data_preprocessor', 'backbone', 'neck', 'decode_head',
         'auxiliary_head', 'head')
LARGEST = 256
# What shapes alone tell for sure.
WIDTHS = ('.in_channels', '.in_index')


def build(problems: Problems, cfg) -> nn.Module | None:
    """Build the model; if that fails, each part, to tell which ones do.

    Args:
        problems (Problems): What is found is added.
        cfg (Config): The whole config.

    Returns:
        nn.Module | None: The model on the meta device, if it can be built.
    """
    whole, parts = Problems(), Problems()
    with whole.catch('model'):
        return probe.build(cfg.model)
    for name in PARTS:
        for key, part in each(f'model.{name}', cfg.model.get(name)):
            with parts.catch(key):
                MODELS.build(copy.deepcopy(part))
    problems += parts or whole
    return None


def run(problems: Problems, cfg, model: nn.Module, meta: dict) -> None:
    """Train a step and predict, with images drawn at random.

    On the meta device first, at the full size and in no time. Only where that
    fails for another reason than a width, real tensors follow, of a corner of
    the images, then of all, and then part by part: what runs is no problem.

    Args:
        problems (Problems): What fails is added, heads apart from each other.
        cfg (Config): The whole config.
        model (nn.Module): What :func:`build` made of it.
        meta (dict): Meta information of the training data.
    """
    batch = draw_batch(cfg, meta)
    if batch is None:
        return
    with probe.shapes_only():
        found = _heatmap_size(model, batch)
        first = None if found else _failure(model, batch)
        if first is not None and hasattr(model, 'backbone'):
            found = _diagnose(model, batch)
    if first is None or (found
                         and all(one.key.endswith(WIDTHS) for one in found)):
        problems += found or _unread_maps(model)
        return
    if not hasattr(model, 'backbone'):
        # SAN: hours on a CPU, and no parts that others have.
        if 'meta' not in str(first).lower():
            problems.append(from_error('model', first))
        return
    model = probe.build(cfg.model, allocate=True)
    corner = _corner(model, batch)
    with torch.no_grad():
        for size in dict.fromkeys((corner, None)):
            whole = _failure(model, batch, size)
            if whole is None:
                return
            if str(whole)[:30] == str(first)[:30]:
                break  # it does not take the full size to fail
        problems += _diagnose(model, batch,
                              corner) or [from_error('model', whole)]


def _unread_maps(model: nn.Module) -> Problems:
    """Find branches of our DDRNet that no head reads."""
    problems, backbone = Problems(), getattr(model, 'backbone', None)
    if (type(backbone).__name__ != 'DDRNet'
            or not type(backbone).__module__.startswith('mmhires.')
            or model.with_neck):
        return problems
    maps = backbone.out_indices
    read = {
        index % len(maps)
        for name in ('decode_head', 'auxiliary_head')
        for part in (getattr(model, name, None) or nn.Identity()).modules()
        for index in np.atleast_1d(getattr(part, 'in_index', ())).astype(int)
    }
    # The first is on the way to the others.
    unread = [x for i, x in enumerate(maps) if i not in read and x]
    if unread:
        problems.add(
            'width', 'model.backbone.out_indices',
            f'{maps}, but no head reads {unread}: parameters without gradient '
            'end a training in several processes',
            f'set out_indices={tuple(i for i in maps if i not in unread)}, '
            'and count in_index of the heads in it', True)
    return problems


def _preprocessed(model: nn.Module, batch: dict,
                  size: tuple[int, int] | None) -> dict:
    """What the model gets, of the upper left corner of a size if one is given.
    """
    preprocessor = copy.deepcopy(model.data_preprocessor)
    batch = copy.deepcopy(batch)
    if size is not None:
        if preprocessor.size is not None:
            preprocessor.size = size
        height, width = size
        batch['inputs'] = [x[..., :height, :width] for x in batch['inputs']]
        for image, sample in zip(batch['inputs'], batch['data_samples']):
            shape = tuple(image.shape[-2:])
            sample.set_metainfo(dict(ori_shape=shape, img_shape=shape))
            for name, field in sample.items():
                setattr(sample, name, field[:height, :width])
    return preprocessor(batch, True)


def _corner(model: nn.Module, batch: dict) -> tuple[int, int] | None:
    """A smaller size for segmentors that leaves over as much by 64."""
    if not all(hasattr(one, 'gt_sem_seg') for one in batch['data_samples']):
        return None
    size = model.data_preprocessor.size or np.max(
        [image.shape[-2:] for image in batch['inputs']], axis=0).tolist()
    return tuple(side if side <= LARGEST else LARGEST - 64 + side % 64
                 for side in size)


def _failure(model: nn.Module,
             batch: dict,
             size: tuple[int, int] | None = None) -> Exception | None:
    """What a step of training and a prediction raise, if anything."""
    try:
        data = _preprocessed(model, batch, size)
        model.train()
        model.loss(**data)
        model.eval()
        # One image, of the size that training images are padded to.
        sample = data['data_samples'][0]
        if 'img_shape' in sample:  # a torch.Size is taken for a window's
            sample.set_metainfo(dict(img_shape=tuple(sample.img_shape)))
        model.predict(data['inputs'][:1], [sample])
        return None
    except Exception as error:
        return error


def _diagnose(model: nn.Module,
              batch: dict,
              size: tuple[int, int] | None = None) -> Problems:
    """Run part by part."""
    problems, widths, key = Problems(), '', 'model.data_preprocessor'
    model.train()
    try:
        data = _preprocessed(model, batch, size)
        inputs, samples = data['inputs'], data['data_samples']
        key = 'model.backbone'
        maps = model.backbone(inputs)
        if getattr(model, 'neck', None) is not None:
            key = 'model.neck'
            widths = f' (maps of the backbone are {_widths(maps)} wide)'
            maps = model.neck(maps)
    except Exception as error:
        problem = from_error(key, error, 'size' if 'data' in key else 'width')
        problems.append(replace(problem, seen=problem.seen + widths))
        return problems
    for name in ('decode_head', 'auxiliary_head', 'head'):
        previous, heads = (), getattr(model, name, None)
        for key, head in each(f'model.{name}', heads):
            found = _run_head(key, head, maps, previous, samples)
            problems += found
            if name == 'decode_head' and head is not heads:  # a cascade
                if found:
                    break
                previous = (head(maps, *previous), )
    if not problems:
        with problems.catch('model.teacher', 'width'):
            if hasattr(model, 'teacher'):
                model.loss(inputs, samples)
    if not problems and hasattr(model, 'test_cfg'):
        with problems.catch('model.test_cfg', 'size'):
            if error := _failure(model, batch, size):
                raise error
    return problems


def _widths(maps: Tensor | Sequence[Tensor]) -> list[int]:
    return [x.shape[1] for x in probe.maps_of(maps)]


def _heatmap_size(model: nn.Module, batch: dict) -> Problems:
    """Compare what a head of heatmaps predicts with what is decoded."""
    problems, out = Problems(), None
    decoder = getattr(getattr(model, 'head', None), 'decoder', None)
    size = getattr(decoder, 'heatmap_size', None)
    if size is not None:
        with suppress(Exception):  # of which running the model tells
            data = model.data_preprocessor(copy.deepcopy(batch), False)
            out = model.head(model.extract_feat(data['inputs']))
    if isinstance(out, Tensor) and out.shape[:1:-1] != tuple(size):
        problems.add(
            'size', 'model.head.decoder',
            f'heatmap_size={tuple(size)}, but the head predicts '
            f'{tuple(out.shape[:1:-1])} (width, height)',
            'correct codec.heatmap_size or the layers of the head')
    return problems


def _run_head(key: str, head: nn.Module, maps, previous: tuple,
              samples: list) -> list[Problem]:
    try:
        head.loss(maps, *previous, samples, train_cfg={})
        return []
    except Exception as error:
        sizes = re.search('pixels|heatmap_size', str(error))
        problem = from_error(key, error, 'size' if sizes else 'width')
    if type(head).__name__ == 'DDRHead':
        return [
            replace(
                problem,
                do="it reads what mmseg's DDRNet returns; mmhires.DAPPMHead "
                'goes with mmhires.DDRNet')
        ]
    problems = Problems()
    for name, part in head.named_modules():
        # A head that wraps another one reads what that one makes.
        if hasattr(part, 'in_index') and hasattr(
                part, 'in_channels') and not hasattr(part, 'wrapped'):
            _check_width(problems, f'{key}.{name}'.rstrip('.'), part,
                         _widths(maps))
    return problems or [problem]


def _check_width(problems: Problems, key: str, head: nn.Module,
                 widths: list[int]) -> None:
    index, given = head.in_index, head.in_channels
    indices = [index] if isinstance(index, int) else index
    if any(not -len(widths) <= i < len(widths) for i in indices):
        problems.add('width', f'{key}.in_index',
                     f'{index}, but there are {len(widths)} maps',
                     f'choose from 0 to {len(widths) - 1}')
        return
    wanted = [widths[i] for i in indices]
    if getattr(head, 'input_transform', None) == 'resize_concat':
        wanted = sum(wanted)
    elif isinstance(given, int):
        wanted = wanted[-1]
    else:
        given = list(given)
    if given != wanted:
        problems.add(
            'width', f'{key}.in_channels',
            f'{given}, but the maps it reads (in_index={index}) are {wanted} '
            'wide', f'set in_channels={wanted}')

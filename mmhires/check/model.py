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
from .sizes import training_size
from .walk import each

PARTS = ('data_preprocessor', 'backbone', 'neck', 'decode_head',
         'auxiliary_head', 'head')
LARGEST = 256
# What goes with our network in place of a head of upstream's.
INSTEAD = dict(
    DDRHead="it reads what mmseg's DDRNet returns; mmhires.DAPPMHead goes "
    'with mmhires.DDRNet')
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
    fails for another reason than a width, real tensors follow, of small images
    where the task allows it, and then part by part: what runs is no problem.

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
    batch = draw_batch(cfg, meta, LARGEST) or batch
    if pad := getattr(model.data_preprocessor, 'size', None):
        small = batch['inputs'][0].shape[-2:]
        model.data_preprocessor.size = tuple(
            np.array(pad) - training_size(cfg) + small)
    with torch.no_grad():
        if _failure(model, batch):
            problems += _diagnose(model, batch)


def _unread_maps(model: nn.Module) -> Problems:
    """Find branches of our DDRNet that no head reads."""
    problems, kind = Problems(), type(getattr(model, 'backbone', None))
    ours = kind.__module__.startswith('mmhires.') and kind.__name__ == 'DDRNet'
    if not ours or model.with_neck:
        return problems
    maps = model.backbone.out_indices
    read = probe.read_maps(model, len(maps))
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


def _failure(model: nn.Module, batch: dict) -> Exception | None:
    """What a step of training and a prediction raise, if anything."""
    try:
        data = model.data_preprocessor(copy.deepcopy(batch), True)
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


def _diagnose(model: nn.Module, batch: dict) -> Problems:
    """Run part by part."""
    problems, widths, key = Problems(), '', 'model.data_preprocessor'
    model.train()
    try:
        data = model.data_preprocessor(copy.deepcopy(batch), True)
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
    if not problems and (error := _failure(model, batch)):
        key = 'teacher' if hasattr(type(model), 'teacher') else 'test_cfg'
        problems.append(from_error(f'model.{key}', error, 'width'))
    return problems


def _widths(maps: Tensor | Sequence[Tensor]) -> list[int]:
    return [x.shape[1] for x in probe.maps_of(maps).values()]


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
    if do := INSTEAD.get(type(head).__name__):
        return [replace(problem, do=do)]
    problems = Problems()
    for name, part in head.named_modules():
        # A head that wraps another one reads what that one makes.
        if not hasattr(part, 'wrapped') and {'in_index', 'in_channels'
                                             } <= vars(part).keys():
            _check_width(problems, f'{key}.{name}'.rstrip('.'), part,
                         _widths(maps))
    return problems or [problem]


def _check_width(problems: Problems, key: str, head: nn.Module,
                 widths: list[int]) -> None:
    index = head.in_index
    try:
        wanted = [widths[i] for i in np.atleast_1d(index)]
    except IndexError:
        problems.add('width', f'{key}.in_index',
                     f'{index}, but there are {len(widths)} maps',
                     f'choose from 0 to {len(widths) - 1}')
        return
    if getattr(head, 'input_transform', None) == 'resize_concat':
        wanted = [sum(wanted)]
    if np.atleast_1d(head.in_channels).tolist() != wanted:
        right = wanted[0] if len(wanted) == 1 else wanted
        problems.add(
            'width', f'{key}.in_channels',
            f'{head.in_channels}, but the maps it reads (in_index={index}) '
            f'are {right} wide', f'set in_channels={right}')

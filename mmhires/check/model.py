# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""The model of a config: built and run, and what is wrong where it cannot."""
import copy
import re
from ast import literal_eval
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from mmengine.registry import MODELS
from torch import Tensor, nn

from mmhires.utils.input_channels import input_channels

from . import probe
from .drawn import draw_batch, reduced_size
from .losses import label_problems, recorded_losses
from .norms import batch_norm_problems, norms_of_one_value, smallest_batch
from .prediction import (
    crop_problems,
    predict_error,
    prediction_problems,
    small,
    test_batches,
)
from .problem import Problem, Problems, attempt, from_error
from .samples import Samples
from .walk import each, part_of

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


def run(problems: Problems, cfg, model: nn.Module, meta: dict,
        samples: Samples) -> None:
    """Train a step and predict, with images drawn at random.

    On the meta device first, at the full size and in no time. Only where that
    fails for another reason than a width, real tensors follow, of small images
    where the task allows it, and then part by part: what runs is no problem.

    Args:
        problems (Problems): What fails is added, heads apart from each other.
        cfg (Config): The whole config.
        model (nn.Module): What :func:`build` made of it.
        meta (dict): Meta information of the training data.
        samples: What the data sets give, where their files are there.
    """
    channels = input_channels(model)
    count = min(smallest_batch(cfg), 2)
    batch = draw_batch(cfg, meta, channels, count)
    if batch is None:
        return
    tests = test_batches(cfg, meta, channels, samples) or [_one(batch)]
    with probe.shapes_only():
        found = _heatmap_size(model, batch)
        with norms_of_one_value(model) as norms, recorded_losses(
                model) as calls:
            wrong = None if found else train_error(model, batch)
        if wrong is not None and hasattr(model, 'backbone'):
            found = _diagnose(model, cfg.model, batch)
        unpredicted = Problems()
        if not found and wrong is None:
            unpredicted += prediction_problems(model, tests)
    if wrong is None:
        problems += crop_problems(model, tests)
        problems += batch_norm_problems(cfg, norms, samples)
        problems += label_problems(cfg, calls, batch, samples)
    if wrong is None and not unpredicted:
        problems += found or _unread_maps(model)
    elif found and all(one.key.endswith(WIDTHS) for one in found):
        problems += found
    elif hasattr(model, 'backbone'):
        problems += _with_values(cfg, meta, channels, batch, tests,
                                 unpredicted)
    elif 'meta' not in f'{wrong} {unpredicted}'.lower():
        # SAN: hours on a CPU, and no parts that others have.
        problems += unpredicted or [from_error('model', wrong)]


def _with_values(cfg, meta: dict, channels: int, batch: dict,
                 tests: list[dict], unpredicted: Problems) -> Problems:
    """Run what fails with shapes alone with small images on the CPU."""
    model = probe.build(cfg.model, allocate=True)
    with torch.no_grad():
        if unpredicted:
            tests = [small(test, LARGEST) for test in tests]
            return unpredicted if predict_error(model, tests) else Problems()
        pad = getattr(model.data_preprocessor, 'size', None)
        smaller = draw_batch(cfg, meta, channels, limit=LARGEST, pad=pad)
        if smaller and pad:
            model.data_preprocessor.size = reduced_size(pad, LARGEST)
        batch = smaller or batch
        if train_error(model, batch):
            return _diagnose(model, cfg.model, batch)
        return Problems(prediction_problems(model, [_one(batch)]))


def _one(batch: dict) -> dict:
    """The first image of a batch, as a test image."""
    sample = batch['data_samples'][0].clone()
    if 'img_shape' in sample:  # a torch.Size is taken for a window's
        sample.set_metainfo(dict(img_shape=tuple(sample.img_shape)))
    return dict(inputs=batch['inputs'][:1], data_samples=[sample])


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


def train_error(model: nn.Module, batch: dict) -> Exception | None:
    """What a step of training raises, if anything."""
    try:
        data = model.data_preprocessor(copy.deepcopy(batch), True)
        model.train()
        model.loss(**data)
        return None
    except Exception as error:
        return error


def _diagnose(model: nn.Module, cfg: dict, batch: dict) -> Problems:
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
            found = _run_head(key, head, part_of(cfg, key), maps, previous,
                              samples)
            problems += found
            if name == 'decode_head' and head is not heads:  # a cascade
                if found:
                    break
                previous = (head(maps, *previous), )
    if not problems and (error := train_error(model, batch)):
        key = 'teacher' if hasattr(type(model), 'teacher') else 'type'
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
        with attempt('heatmaps of a drawn image'):
            data = model.data_preprocessor(copy.deepcopy(batch), False)
            out = model.head(model.extract_feat(data['inputs']))
    if isinstance(out, Tensor) and out.shape[:1:-1] != tuple(size):
        problems.add(
            'size', 'model.head.decoder',
            f'heatmap_size={tuple(size)}, but the head predicts '
            f'{tuple(out.shape[:1:-1])} (width, height)',
            'correct codec.heatmap_size or the layers of the head')
    return problems


def _run_head(key: str, head: nn.Module, cfg: dict, maps, previous: tuple,
              samples: list) -> list[Problem]:
    error = _head_error(head, maps, previous, samples)
    if error is None:
        return []
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
    fixes = {
        found.key.removeprefix(f'{key}.'): found.do.partition('=')[2]
        for found in problems if found.key.endswith('in_channels')
    }
    if fixes and not _cures(fixes, cfg, head, maps, previous, samples):
        problems[:] = [
            found for found in problems
            if not found.key.endswith('in_channels')
        ]
    return problems or [problem]


def _cures(fixes: dict[str, str], cfg: dict, head: nn.Module, maps,
           previous: tuple, samples: list) -> bool:
    """Whether a head takes the maps with other widths, and only with them."""
    cfg = copy.deepcopy(cfg)
    for key, value in fixes.items():
        *outer, name = key.split('.')
        part_of(cfg, '.'.join(['', *outer]))[name] = literal_eval(value)
    on_meta = next(head.parameters()).is_meta
    other = probe.build(cfg, allocate=not on_meta)
    if _head_error(other, maps, previous, samples) is None:
        return True
    return _forward_error(head, maps, previous) is not None and \
        _forward_error(other, maps, previous) is None


def _head_error(head: nn.Module, maps, previous: tuple,
                samples: list) -> Exception | None:
    try:
        head.loss(maps, *previous, samples, train_cfg={})
        return None
    except Exception as error:
        return error


def _forward_error(head: nn.Module, maps, previous: tuple) -> Exception | None:
    try:
        head(maps, *previous)
        return None
    except Exception as error:
        return error


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

# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""The model of a config, built and run on a small random batch."""
import copy
from collections.abc import Mapping, Sequence

import torch
from mmengine.config import Config
from mmengine.model import revert_sync_batchnorm
from mmengine.registry import MODELS
from mmengine.structures import PixelData
from torch import Tensor, nn

from .problem import Problem, first_line
from .sizes import training_size

PARTS = ('data_preprocessor', 'backbone', 'neck', 'decode_head',
         'auxiliary_head', 'head')
LARGEST = 256
DO = 'correct what the error speaks of'


def build(cfg) -> tuple[nn.Module | None, list[Problem]]:
    """Build the model; if that fails, each part, to tell which ones do.

    Args:
        cfg (Config): The whole config.

    Returns:
        tuple[nn.Module | None, list[Problem]]: The model with random weights,
        without SyncBN and teacher, or None and problems.
    """
    model_cfg = copy.deepcopy(cfg.model)
    if 'teacher_ckpt' in model_cfg:
        model_cfg['teacher_ckpt'] = None
    try:
        return revert_sync_batchnorm(MODELS.build(model_cfg)), []
    except Exception as error:
        whole = first_line(error)
    problems = []
    for key in PARTS:
        parts = model_cfg.get(key)
        several = isinstance(parts, (list, tuple))
        for i, part in enumerate(parts if several else [parts]):
            if isinstance(part, Mapping):
                try:
                    MODELS.build(copy.deepcopy(part))
                except Exception as error:
                    name = f'model.{key}.{i}' if several else f'model.{key}'
                    problems.append(
                        Problem('build', name, first_line(error), DO))
    return None, problems or [Problem('build', 'model', whole, DO)]


def build_teacher(cfg) -> tuple[nn.Module | None, list[Problem]]:
    """Build the teacher of HRFR, if the config has one."""
    teacher = cfg.model.get('teacher')
    if teacher is None:
        return None, []
    try:
        if isinstance(teacher, str):
            teacher = Config.fromfile(teacher)['model']
        return MODELS.build(copy.deepcopy(teacher)), []
    except Exception as error:
        kind = 'missing' if isinstance(error, FileNotFoundError) else 'build'
        return None, [Problem(kind, 'model.teacher', first_line(error), DO)]


def run(cfg,
        model: nn.Module,
        teacher: nn.Module | None = None) -> list[Problem]:
    """Run a batch through the parts one by one, then a prediction.

    Sides of more than 256 pixels become smaller, by whole multiples of 64.

    Args:
        cfg (Config): The whole config.
        model (nn.Module): Its model.
        teacher (nn.Module, optional): That of HRFR.

    Returns:
        list[Problem]: What fails, heads apart from each other.
    """
    size = tuple(side if side <= LARGEST else LARGEST - 64 + side % 64
                 for side in training_size(cfg))
    fixed = getattr(model.data_preprocessor, 'size', None)
    if fixed is not None:
        model.data_preprocessor.size = size
    try:
        with torch.no_grad():
            return _run(cfg, model, teacher, size)
    finally:
        if fixed is not None:
            model.data_preprocessor.size = fixed


def _run(cfg, model: nn.Module, teacher: nn.Module | None,
         size: tuple[int, int]) -> list[Problem]:
    scope = cfg.get('default_scope')
    model.train()
    batch = _batch(scope, size)
    key = 'model.data_preprocessor'
    try:
        data = model.data_preprocessor(batch, True)
        inputs, samples = data['inputs'], data['data_samples']
        key = 'model.backbone'
        maps = model.backbone(inputs)
        widths = _widths(maps)
        if getattr(model, 'neck', None) is not None:
            key = 'model.neck'
            maps = model.neck(maps)
    except Exception as error:
        seen = first_line(error)
        if key == 'model.neck':
            seen += f' (maps of the backbone are {widths} wide)'
        return [Problem('size' if 'data' in key else 'width', key, seen, DO)]
    problems = []
    for name in ('decode_head', 'auxiliary_head', 'head'):
        heads = getattr(model, name, None)
        several = isinstance(heads, nn.ModuleList)
        for i, head in enumerate(heads if several else [heads]):
            if head is not None:
                problems += _run_head(
                    f'model.{name}.{i}' if several else f'model.{name}', head,
                    maps, samples)
    if not problems and teacher is not None:
        model._teacher[:] = [teacher.eval()]
        try:
            model.loss(inputs, samples)
        except Exception as error:
            problems.append(
                Problem('width', 'model.teacher', first_line(error), DO))
    if not problems and scope == 'mmseg':
        try:
            model.eval()
            model.predict(**model.data_preprocessor(_batch(scope, size)))
        except Exception as error:
            problems.append(
                Problem('size', 'model.test_cfg', first_line(error), DO))
    return problems


def _batch(scope: str, size: tuple[int, int]) -> dict:
    if scope == 'mmseg':
        from mmseg.structures import SegDataSample as Sample
    elif scope == 'mmpose':
        from mmpose.structures import PoseDataSample as Sample
    else:
        from mmpretrain.structures import DataSample as Sample
    samples = []
    for _ in range(2):
        sample = Sample(
            metainfo=dict(ori_shape=size, img_shape=size, img_path='random'))
        if scope == 'mmseg':
            # The one class that every head has.
            sample.gt_sem_seg = PixelData(
                data=torch.zeros(1, *size, dtype=torch.long))
        samples.append(sample)
    images = [torch.randint(0, 256, (3, *size)) for _ in range(2)]
    if scope == 'mmpretrain':
        images = torch.stack(images)
    return dict(inputs=images, data_samples=samples)


def _widths(maps: Tensor | Sequence[Tensor]) -> list[int]:
    return [
        x.shape[1] for x in ([maps] if isinstance(maps, Tensor) else maps)
        if isinstance(x, Tensor)
    ]


def _run_head(key: str, head: nn.Module, maps, samples: list) -> list[Problem]:
    problems = []
    for name, part in head.named_modules():
        # A head that wraps another one reads what that one makes.
        if hasattr(part, 'in_index') and hasattr(
                part, 'in_channels') and not hasattr(part, 'wrapped'):
            problems += _check_width(f'{key}.{name}'.rstrip('.'), part,
                                     _widths(maps))
    if problems:
        return problems
    try:
        if hasattr(head, 'loss') and 'gt_sem_seg' in samples[0]:
            head.loss(maps, samples, {})
            return []
        out = head(maps)
        size = getattr(getattr(head, 'decoder', None), 'heatmap_size', None)
        if size is not None and isinstance(out, Tensor):
            got = (out.shape[3], out.shape[2])
            if got != tuple(size):
                return [
                    Problem(
                        'size', f'{key}.decoder',
                        f'heatmap_size={tuple(size)}, but the head '
                        f'predicts {got} (width, height)',
                        'correct codec.heatmap_size or the layers of the '
                        'head')
                ]
        if hasattr(head, 'super_resolution_losses'):
            head.super_resolution_losses(maps, head.sssr_features(maps),
                                         samples)
    except Exception as error:
        return [
            Problem('size' if 'pixels' in str(error) else 'width', key,
                    f'{first_line(error)} (maps are {_widths(maps)} wide)', DO)
        ]
    return []


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

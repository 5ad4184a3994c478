# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Files of the data sets, and what stands in their labels."""
import copy
import os.path as osp
from collections.abc import Iterator

import numpy as np
from mmengine.dataset import BaseDataset
from mmengine.registry import DATASETS, TRANSFORMS
from PIL import Image

from .problem import Problem, first_line

SPLITS = ('train', 'val', 'test')
DO = 'put the data there, or correct the path'


def leaf_datasets(cfg) -> Iterator[tuple[str, dict]]:
    """Key and config of every data set, those inside wrappers."""
    for split in SPLITS:
        loader = cfg.get(f'{split}_dataloader')
        if loader:
            yield from _leaves(f'{split}_dataloader.dataset',
                               loader.get('dataset'))


def _leaves(key: str, dataset) -> Iterator[tuple[str, dict]]:
    if isinstance(dataset, (list, tuple)):
        for i, one in enumerate(dataset):
            yield from _leaves(f'{key}.{i}', one)
    elif dataset is not None and 'dataset' in dataset:
        yield from _leaves(f'{key}.dataset', dataset['dataset'])
    elif dataset is not None and 'datasets' in dataset:
        yield from _leaves(f'{key}.datasets', dataset['datasets'])
    elif dataset is not None:
        yield key, dataset


def build_unread(dataset: dict) -> BaseDataset:
    """The data set, with its paths put together and no file read."""
    dataset = copy.deepcopy(dataset)
    dataset.update(pipeline=[], lazy_init=True)
    return DATASETS.build(dataset)


def check_data(cfg, samples: int) -> tuple[list[Problem], dict]:
    """Look for every data set's files, and into some of its labels.

    Args:
        cfg (Config): The whole config.
        samples (int): Number of images of each data set to look into.

    Returns:
        tuple[list[Problem], dict[str, dict]]: Problems, and meta information
        of the data sets by key.
    """
    problems, metas, seen = [], {}, []
    for key, dataset_cfg in leaf_datasets(cfg):
        try:
            dataset = build_unread(dataset_cfg)
        except Exception as error:
            problems.append(_unbuilt(key, dataset_cfg, error))
            meta = getattr(DATASETS.get(dataset_cfg['type']), 'METAINFO', {})
            metas[key] = {**meta, **(dataset_cfg.get('metainfo') or {})}
            continue
        metas[key] = dict(dataset.metainfo)
        if dataset_cfg in seen:  # val and test are often the same
            continue
        seen.append(dataset_cfg)
        if dataset_cfg.get('backend_args'):
            continue  # not on this machine's disk
        found = _missing(key, dataset)
        problems += found or _check_contents(key, dataset, dataset_cfg,
                                             samples)
    return problems, metas


def _unbuilt(key: str, cfg: dict, error: Exception) -> Problem:
    root = cfg.get('data_root')
    if root and not osp.isdir(root):  # of which some data sets say nothing
        return Problem('missing', f'{key}.data_root', f'no {root}', DO)
    kind = 'missing' if isinstance(error, FileNotFoundError) else 'build'
    return Problem(kind, key, first_line(error),
                   'correct the arguments of the data set')


def _missing(key: str, dataset: BaseDataset) -> list[Problem]:
    paths = {}
    for name, path in getattr(dataset, 'data_prefix', {}).items():
        paths[f'data_prefix.{name}'] = path
    for name in ('ann_file', 'bbox_file'):
        paths[name] = getattr(dataset, name, '')
    root = getattr(dataset, 'data_root', '')
    wrong = [(name, path) for name, path in paths.items()
             if isinstance(path, str) and path and not osp.exists(path)]
    if wrong and root and not osp.isdir(root):
        wrong = [('data_root', root)]
    return [
        Problem('missing', f'{key}.{name}', f'no {path}', DO)
        for name, path in wrong
    ]


def _check_contents(key: str, dataset: BaseDataset, cfg: dict,
                    samples: int) -> list[Problem]:
    try:
        dataset.full_init()
        infos = [dataset.get_data_info(i) for i in range(len(dataset))]
    except Exception as error:
        return [
            Problem('missing', key, first_line(error),
                    'correct the annotations or the paths of the data set')
        ]
    if not infos:
        return [
            Problem(
                'missing', key, 'the data set is empty',
                'compare data_prefix, img_suffix and ann_file with the '
                'files')
        ]
    problems = []
    if 'scene' not in infos[0]:  # those of StreetsDataset are drawn
        for name in ('img_path', 'seg_map_path'):
            lost = [
                info[name] for info in infos
                if info.get(name) and not osp.isfile(info[name])
            ]
            if lost:
                problems.append(
                    Problem(
                        'missing', f'{key}.{name}',
                        f'{len(lost)} of {len(infos)} files are not there, '
                        f'{lost[0]} for one',
                        'complete the pairs of images and labels, or list '
                        'the whole ones in ann_file'))
        if 'seg_map_path' in infos[0] and not problems:
            problems += _check_labels(key, dataset, cfg, infos, samples)
    if not problems:
        problems += _check_pipeline(key, cfg)
    return problems


def _check_labels(key: str, dataset: BaseDataset, cfg: dict, infos: list,
                  samples: int) -> list[Problem]:
    load = next((step for step in cfg.get('pipeline', ())
                 if 'LoadAnnotations' in step['type']),
                dict(type='LoadAnnotations'))
    load = TRANSFORMS.build(dict(load))
    num_classes = len(dataset.metainfo.get('classes') or ())
    ignore = getattr(dataset, 'ignore_index', 255)
    bad, problems = {}, []
    for i in np.unique(np.linspace(0, len(infos) - 1, samples).astype(int)):
        info = infos[i]
        try:
            label = load(info)['gt_seg_map']
            width, height = Image.open(info['img_path']).size
        except Exception as error:
            problems.append(
                Problem(
                    'labels', key, f'{info["seg_map_path"]} or its image: '
                    f'{first_line(error)}', 'replace the file'))
            continue
        if label.shape != (height, width):
            problems.append(
                Problem(
                    'labels', key,
                    f'{info["seg_map_path"]} is {label.shape}, its image '
                    f'{(height, width)}', 'labels have the size of images'))
        for value in np.unique(label).tolist():
            if not 0 <= value < num_classes and value != ignore:
                bad.setdefault(value, info['seg_map_path'])
    if bad and num_classes:
        value, path = next(iter(bad.items()))
        problems.append(
            Problem(
                'labels', key, f'labels {sorted(bad)} beside {num_classes} '
                f'classes and ignore_index={ignore}, {value} in {path} for '
                'one', 'convert the labels, or correct metainfo.classes, '
                'reduce_zero_label or ignore_index'))
    return problems


def _check_pipeline(key: str, cfg: dict) -> list[Problem]:
    cfg = copy.deepcopy(cfg)
    cfg.update(indices=1, serialize_data=False)
    try:
        DATASETS.build(cfg)[0]
    except Exception as error:
        return [
            Problem('build', f'{key}.pipeline', first_line(error),
                    'correct the transform that the error speaks of')
        ]
    return []

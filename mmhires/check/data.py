# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Files of the data sets, and what stands in their labels."""
import copy
import os.path as osp
import re

import numpy as np
from mmengine.dataset import BaseDataset, Compose
from mmengine.registry import DATASETS, TRANSFORMS
from PIL import Image

from mmhires.datasets.checked import CheckedLoadLabel

from .probe import component
from .problem import Problem, from_error
from .walk import walk

SPLITS = ('train', 'val', 'test')
DO = 'put the data there, or correct the path'


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
    for split in SPLITS:
        loader = cfg.get(f'{split}_dataloader') or {}
        for key, part in walk(f'{split}_dataloader.dataset',
                              loader.get('dataset'), ('metainfo', )):
            if part in seen or 'type' not in part:  # val is often test, too
                continue
            broken = check_transforms(f'{key}.pipeline',
                                      part.get('pipeline') or [])
            problems += broken
            if '.pipeline' in key or 'dataset' in part:
                continue
            if 'datasets' in part:
                if part.get('metainfo'):  # keypoints that all are brought to
                    metas[key] = _pose_meta(part['metainfo'])
                continue
            seen.append(part)
            found, meta = _check_dataset(key, part, samples, not broken)
            problems += found
            if not any(key.startswith(outer) for outer in metas):
                metas[key] = meta
    return problems, metas


def _pose_meta(metainfo: dict) -> dict:
    from mmpose.datasets.datasets.utils import parse_pose_metainfo
    return parse_pose_metainfo(dict(metainfo))


def check_transforms(key: str, pipeline: list) -> list[Problem]:
    """Build each transform of a pipeline.

    Args:
        key (str): Where in the config.
        pipeline (list[dict]): The transforms.

    Returns:
        list[Problem]: Problems.
    """
    problems = []
    for i, step in enumerate(pipeline):
        try:
            Compose([copy.deepcopy(step)])
        except Exception as error:
            problems.append(from_error(f'{key}.{i}', error))
    return problems


def _check_dataset(key: str, cfg: dict, samples: int,
                   whole: bool) -> tuple[list[Problem], dict]:
    unread = copy.deepcopy(cfg)
    unread.update(pipeline=[], lazy_init=True)
    try:
        dataset = DATASETS.build(unread)
    except Exception as error:
        root = cfg.get('data_root')
        problem = from_error(key, error)
        if root and not osp.isdir(root):  # of which some data sets say nothing
            problem = Problem('missing', f'{key}.data_root', f'no {root}', DO)
        meta = getattr(component(DATASETS, cfg['type']), 'METAINFO', {})
        meta = {**meta, **(cfg.get('metainfo') or {})}
        return [problem], _pose_meta(meta) if 'from_file' in meta else meta
    if cfg.get('backend_args'):  # not on this machine's disk
        return [], dict(dataset.metainfo)
    problems = _missing(key, dataset) or _check_contents(
        key, dataset, cfg, samples)
    if whole and not problems:
        problems = _check_pipeline(key, cfg)
    return problems, dict(dataset.metainfo)


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
        return [from_error(key, error, 'missing')]
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
            infos = [info for info in infos if info.get(name) not in lost]
        if infos and 'seg_map_path' in infos[0]:
            problems += _check_labels(key, dataset, cfg, infos, samples)
    return problems


def _check_labels(key: str, dataset: BaseDataset, cfg: dict, infos: list,
                  samples: int) -> list[Problem]:
    """Load labels as the pipeline would; one problem for all alike."""
    load = next((step for step in cfg.get('pipeline', ())
                 if 'LoadAnnotations' in step['type']),
                dict(type='LoadAnnotations'))
    load = CheckedLoadLabel(
        TRANSFORMS.build(dict(load)),
        len(dataset.metainfo.get('classes') or range(256)),
        getattr(dataset, 'ignore_index', 255))
    alike = {}
    chosen = np.unique(np.linspace(0, len(infos) - 1, samples).astype(int))
    for info in (infos[i] for i in chosen):
        try:
            with Image.open(info['img_path']) as image:
                load(dict(info, ori_shape=image.size[::-1]))
        except Exception as error:
            text = re.sub(r'\S*[\d/]\S*', '', str(error))
            alike.setdefault(text, []).append(str(error))
    return [
        Problem(
            'labels', key, f'{len(errors)} of {len(chosen)} looked into, for '
            f'one: {errors[0]}', 'convert or replace the files, or correct '
            'metainfo.classes, reduce_zero_label or ignore_index')
        for errors in alike.values()
    ]


def _check_pipeline(key: str, cfg: dict) -> list[Problem]:
    cfg = copy.deepcopy(cfg)
    cfg.update(indices=1, serialize_data=False)
    try:
        DATASETS.build(cfg)[0]
    except Exception as error:
        return [from_error(f'{key}.pipeline', error)]
    return []

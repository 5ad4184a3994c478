# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Files of the data sets, and what stands in their labels."""
import copy
import os.path as osp
import re
from collections import defaultdict

import numpy as np
from mmengine.dataset import BaseDataset, Compose
from mmengine.registry import DATASETS, TRANSFORMS
from PIL import Image

from mmhires.datasets.checked import CheckedLoadLabel

from .probe import component
from .problem import Problem, Problems
from .walk import each, walk

SPLITS = ('train', 'val', 'test')
DO = 'put the data there, or correct the path'


def check_data(problems: Problems, cfg, samples: int) -> dict[str, dict]:
    """Look for every data set's files, and into some of its labels.

    Args:
        problems (Problems): What is found is added.
        cfg (Config): The whole config.
        samples (int): Number of images of each data set to look into.

    Returns:
        dict[str, dict]: Meta information of the data sets by key.
    """
    metas, seen = {}, []
    for split in SPLITS:
        loader = cfg.get(f'{split}_dataloader') or {}
        for key, part in walk(f'{split}_dataloader.dataset',
                              loader.get('dataset'), ('metainfo', 'pipeline')):
            if part in seen or 'type' not in part:  # val is often test, too
                continue
            before = len(problems)
            check_transforms(problems, f'{key}.pipeline', part.get('pipeline'))
            if 'datasets' in part:
                if part.get('metainfo'):  # keypoints that all are brought to
                    metas[key] = _pose_meta(part['metainfo'])
            elif 'dataset' not in part:
                seen.append(part)
                meta = _check_dataset(problems, key, part, samples,
                                      len(problems) == before)
                if not any(key.startswith(outer) for outer in metas):
                    metas[key] = meta
    return metas


def _pose_meta(metainfo: dict) -> dict:
    from mmpose.datasets.datasets.utils import parse_pose_metainfo
    return parse_pose_metainfo(dict(metainfo))


def check_transforms(problems: Problems, key: str,
                     pipeline: list | None) -> None:
    """Build each transform of a pipeline.

    Args:
        problems (Problems): What is found is added.
        key (str): Where in the config.
        pipeline (list[dict], optional): The transforms.
    """
    for where, step in each(key, pipeline):
        with problems.catch(where):
            Compose([copy.deepcopy(step)])


def _check_dataset(problems: Problems, key: str, cfg: dict, samples: int,
                   whole: bool) -> dict:
    """Check one data set; its pipeline, too, if that is ``whole``."""
    found, root, meta = Problems(), cfg.get('data_root'), None
    with found.catch(key):
        cfg = copy.deepcopy(cfg)
        dataset = DATASETS.build(dict(cfg, pipeline=[], lazy_init=True))
        meta = dict(dataset.metainfo)
        if not cfg.get('backend_args'):  # on this machine's disk
            _check_files(found, key, dataset, cfg, samples)
            if whole and not found:
                with found.catch(f'{key}.pipeline'):
                    DATASETS.build(dict(cfg, indices=1,
                                        serialize_data=False))[0]
    if meta is None:
        meta = getattr(component(cfg['type']), 'METAINFO', {})
        meta = {**meta, **(cfg.get('metainfo') or {})}
        meta = _pose_meta(meta) if 'from_file' in meta else meta
    if found and root and not osp.isdir(root):  # which is why
        found = [Problem('missing', f'{key}.data_root', f'no {root}', DO)]
    problems += found
    return meta


def _check_files(problems: Problems, key: str, dataset: BaseDataset, cfg: dict,
                 samples: int) -> None:
    for name in ('ann_file', 'bbox_file'):
        path = getattr(dataset, name, None)
        if path and not osp.exists(path):
            problems.add('missing', f'{key}.{name}', f'no {path}', DO)
    if problems:
        return
    infos = None
    with problems.catch(key, 'missing'):
        dataset.full_init()
        infos = [dataset.get_data_info(i) for i in range(len(dataset))]
    if infos == []:
        problems.add(
            'missing', key, 'the data set is empty',
            'compare data_prefix, img_suffix and ann_file with the files')
    if not infos or 'scene' in infos[0]:  # those of StreetsDataset are drawn
        return
    for name in ('img_path', 'seg_map_path'):
        lost = [
            info[name] for info in infos
            if info.get(name) and not osp.isfile(info[name])
        ]
        if lost:
            problems.add(
                'missing', f'{key}.{name}',
                f'{len(lost)} of {len(infos)} files are not there, {lost[0]} '
                'for one', 'complete the pairs of images and labels, or list '
                'the whole ones in ann_file')
        infos = [info for info in infos if info.get(name) not in lost]
    if infos and 'seg_map_path' in infos[0]:
        _check_labels(problems, key, dataset, cfg, infos, samples)


def _check_labels(problems: Problems, key: str, dataset: BaseDataset,
                  cfg: dict, infos: list, samples: int) -> None:
    """Load labels as the pipeline would; one problem for all alike."""
    load = next((step for step in cfg.get('pipeline', ())
                 if 'LoadAnnotations' in step['type']),
                dict(type='LoadAnnotations'))
    load = CheckedLoadLabel(
        TRANSFORMS.build(dict(load)),
        len(dataset.metainfo.get('classes') or range(256)),
        getattr(dataset, 'ignore_index', 255))
    alike = defaultdict(list)
    chosen = np.unique(np.linspace(0, len(infos) - 1, samples).astype(int))
    for info in (infos[i] for i in chosen):
        try:
            with Image.open(info['img_path']) as image:
                load(dict(info, ori_shape=image.size[::-1]))
        except Exception as error:
            alike[re.sub(r'\S*[\d/]\S*', '', str(error))].append(error)
    for errors in alike.values():
        problems.add(
            'labels', key, f'{len(errors)} of {len(chosen)} looked into, for '
            f'one: {errors[0]}', 'convert or replace the files, or correct '
            'metainfo.classes, reduce_zero_label or ignore_index')

# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Files of the data sets, and what stands in their labels."""
import copy
import inspect
import os.path as osp
import re
from collections import defaultdict

import numpy as np
from mmengine.dataset import BaseDataset, Compose
from mmengine.registry import DATASETS, TRANSFORMS
from PIL import Image

from mmhires.datasets.checked import CheckedLoadLabel
from mmhires.datasets.label_census import remedy, take_census

from .probe import component
from .problem import Problem, Problems
from .samples import Samples
from .walk import each, walk

SPLITS = ('train', 'val', 'test')
# Of the headers of test images, and of the sizes among them to be tried.
LOOKED_AT, SIZES = 200, 3
# Labels of a second or two.
CENSUS_PIXELS = 1e8
DO = 'put the data there, or correct the path'


def check_data(problems: Problems, cfg,
               count: int) -> tuple[dict[str, dict], Samples]:
    """Look for every data set's files, and into some of its labels.

    Args:
        problems (Problems): What is found is added.
        cfg (Config): The whole config.
        count: Number of images of each data set to look into.

    Returns:
        Meta information of the data sets by key, and what they give.
    """
    metas, seen, samples = {}, [], Samples()
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
                meta = _check_dataset(problems, key, part, count,
                                      len(problems) == before, samples)
                if not any(key.startswith(outer) for outer in metas):
                    metas[key] = meta
        if length := _length(f'{split}_dataloader.dataset',
                             loader.get('dataset'), samples):
            samples.lengths[f'{split}_dataloader'] = length
    return metas, samples


def _length(key: str, cfg, samples: Samples) -> int | None:
    """Number of samples in a data set or a wrapper, if that can be told."""
    if key in samples.lengths or not isinstance(cfg, dict):
        return samples.lengths.get(key)
    kind = str(cfg.get('type')).rpartition('.')[2]
    if kind == 'RepeatDataset':
        inner = _length(f'{key}.dataset', cfg.get('dataset'), samples)
        return inner and inner * cfg.get('times', 1)
    if kind == 'ConcatDataset':
        inner = [
            _length(where, part, samples)
            for where, part in each(f'{key}.datasets', cfg.get('datasets'))
        ]
        return sum(inner) if all(inner) else None
    return None


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


def _check_dataset(problems: Problems, key: str, cfg: dict, count: int,
                   whole: bool, samples: Samples) -> dict:
    """Check one data set; its pipeline, too, if that is ``whole``."""
    found, root, meta = Problems(), cfg.get('data_root'), None
    with found.catch(key):
        cfg = copy.deepcopy(cfg)
        bare = dict(cfg, pipeline=[], lazy_init=True)
        if _takes(cfg['type'], 'serialize_data'):  # half a second
            bare['serialize_data'] = False
        dataset = DATASETS.build(bare)
        meta = dict(dataset.metainfo)
        if not cfg.get('backend_args'):  # on this machine's disk
            infos = _check_files(found, key, dataset, cfg, count, samples)
            broken = [one for one in found if not one.warning]
            if whole and not broken:
                with found.catch(f'{key}.pipeline'):
                    samples.packed[key] = _packed(cfg,
                                                  [0, *_other_sizes(infos)] if
                                                  'train' not in key else [0])
    if meta is None:
        meta = getattr(component(cfg['type']), 'METAINFO', {})
        meta = {**meta, **(cfg.get('metainfo') or {})}
        meta = _pose_meta(meta) if 'from_file' in meta else meta
    known = component(cfg['type']) is not None
    if found and known and root and not osp.isdir(root):  # which is why
        found = [Problem('missing', f'{key}.data_root', f'no {root}', DO)]
    problems += found
    return meta


def _takes(name: str | type, argument: str) -> bool:
    """Whether the constructor of a component has an argument of a name."""
    kind = component(name) if isinstance(name, str) else name
    return any(
        argument in inspect.signature(base.__init__).parameters
        for base in getattr(kind, '__mro__', ()))


def _packed(cfg: dict, indices: list[int]) -> list[dict]:
    """What the whole data set gives for some indices."""
    chosen = dict(cfg, serialize_data=False, lazy_init=True)
    if 'indices' not in cfg:
        chosen['indices'] = indices
        indices = list(range(len(indices)))
    dataset = DATASETS.build(chosen)
    dataset.full_init()
    return [dataset[i] for i in indices]


def _other_sizes(infos: list[dict]) -> list[int]:
    """Indices of some images whose sizes differ from that of the first."""
    sizes = {}
    for i in np.unique(np.linspace(0, len(infos) - 1, LOOKED_AT).astype(int)):
        path = infos[i].get('img_path') if infos else None
        if isinstance(path, str) and osp.isfile(path):
            try:
                with Image.open(path) as image:
                    sizes.setdefault(image.size, int(i))
            except OSError:
                continue  # Its loading is an error with the name of the file.
    return [i for i in sizes.values() if i][:SIZES]


def _check_files(problems: Problems, key: str, dataset: BaseDataset, cfg: dict,
                 count: int, samples: Samples) -> list[dict]:
    """Look for files; return what the data set knows of each sample."""
    for name in ('ann_file', 'bbox_file'):
        path = getattr(dataset, name, None)
        if path and not osp.exists(path):
            problems.add('missing', f'{key}.{name}', f'no {path}', DO)
    if problems:
        return []
    infos = None
    with problems.catch(key, 'missing'):
        dataset.full_init()
        infos = [dataset.get_data_info(i) for i in range(len(dataset))]
    if infos == []:
        problems.add(
            'missing', key, 'the data set is empty',
            'compare data_prefix, img_suffix and ann_file with the files')
    samples.lengths[key] = len(infos or ())
    if not infos or 'scene' in infos[0]:  # those of StreetsDataset are drawn
        return []
    whole = infos
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
        load = _label_load(dataset, cfg)
        _check_labels(problems, key, load, infos, count)
        if dataset.metainfo.get('classes') and not problems:
            census = take_census(dataset, load, CENSUS_PIXELS, count)
            samples.censuses[key] = census
            if seen := census.absent_classes():
                problems.add('labels', key, seen, remedy(dataset), True)
    return whole


def _label_load(dataset: BaseDataset, cfg: dict) -> CheckedLoadLabel:
    """What loads labels as the pipeline would, and checks them."""
    load = next((step for step in cfg.get('pipeline', ())
                 if 'LoadAnnotations' in step['type']),
                dict(type='LoadAnnotations'))
    return CheckedLoadLabel(
        TRANSFORMS.build(dict(load)),
        len(dataset.metainfo.get('classes') or range(256)),
        getattr(dataset, 'ignore_index', 255))


def _check_labels(problems: Problems, key: str, load: CheckedLoadLabel,
                  infos: list, count: int) -> None:
    """Load labels; one problem for all alike."""
    alike = defaultdict(list)
    chosen = np.unique(np.linspace(0, len(infos) - 1, count).astype(int))
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

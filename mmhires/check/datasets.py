# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Data sets of a config, as far as their files are on this machine."""

import copy
import inspect
import os.path as osp
from collections.abc import Iterator, Mapping
from functools import cached_property
from itertools import compress

import numpy as np
from mmengine.config import Config
from mmengine.dataset import BaseDataset, Compose
from mmengine.registry import DATASETS, TRANSFORMS
from PIL import Image

from mmhires.datasets.checked import CheckedLoadLabel
from mmhires.datasets.label_census import LabelCensus, take_census
from mmhires.dryrun.attempts import tried
from mmhires.dryrun.config_tree import component, each, part_of
from mmhires.utils.configs import walk

SPLITS = ('train', 'val', 'test')
# Test images whose headers are read, and sizes among them that are tried.
HEADERS, SIZES = 200, 3
# Labels of a second or two.
CENSUS_PIXELS = 1e8
PATHS = ('img_path', 'seg_map_path')


def find_datasets(cfg: Config, looked_at: int) -> Iterator['DataSet']:
    """Find the data sets of a config, also inside wrappers.

    Args:
        cfg: The whole config.
        looked_at: Number of labels of each data set to look into.

    Yields:
        Wrappers before what they wrap. The same data set, such as a val that is test too, comes
        once.
    """
    leaves = []
    for split in SPLITS:
        outer = f'{split}_dataloader.dataset'
        for key, part in walk(outer, part_of(cfg, outer), ('metainfo', 'pipeline')):
            if 'type' in part and part not in leaves:
                dataset = DataSet(key, part, looked_at)
                leaves += [part] if dataset.is_leaf else []
                yield dataset


def transform_errors(key: str, pipeline: list | None) -> dict[str, Exception]:
    """Build each transform of a pipeline.

    Args:
        key: Where in the config.
        pipeline: The transforms.

    Returns:
        Errors by the key of the transform.
    """
    tries = (
        (where, tried(Compose, [copy.deepcopy(step)])[1]) for where, step in each(key, pipeline)
    )
    return {where: error for where, error in tries if error}


def epoch_length(cfg: Mapping, key: str, lengths: Mapping[str, int]) -> int | None:
    """Count the samples in an epoch of a data set or a wrapper.

    Args:
        cfg: The whole config.
        key: Of the data set.
        lengths: Of data sets without a wrapper, by key.

    Returns:
        None where that cannot be told.
    """
    part = part_of(cfg, key)
    if key in lengths or not isinstance(part, Mapping):
        return lengths.get(key)
    kind = str(part.get('type')).rpartition('.')[2]
    if kind in ('RepeatDataset', 'PartlyLabelledDataset'):
        inner = epoch_length(cfg, f'{key}.dataset', lengths)
        return inner and inner * part.get('times', 1)
    if kind == 'ConcatDataset':
        inner = [
            epoch_length(cfg, where, lengths)
            for where, _ in each(f'{key}.datasets', part.get('datasets'))
        ]
        return sum(inner) if all(inner) else None
    return None


class DataSet:
    """Data set of a config, or a wrapper of data sets; read when asked for.

    Args:
        key: Where in the config.
        cfg: Its part of the config.
        looked_at: Number of labels to look into.
    """

    def __init__(self, key: str, cfg: dict, looked_at: int) -> None:
        self.key, self.cfg = key, copy.deepcopy(cfg)
        self.looked_at = looked_at
        self.split = key.partition('_')[0]
        self.is_leaf = not {'dataset', 'datasets'} & cfg.keys()

    @cached_property
    def transform_errors(self) -> dict[str, Exception]:
        """Errors of its transforms, by key."""
        return transform_errors(f'{self.key}.pipeline', self.cfg.get('pipeline'))

    @cached_property
    def built(self) -> tuple[BaseDataset | None, Exception | None]:
        """The data set without its pipeline and files, or the error."""
        bare = dict(self.cfg, pipeline=[], lazy_init=True)
        bases = getattr(component(self.cfg['type']), '__mro__', ())
        if any('serialize_data' in inspect.signature(base.__init__).parameters for base in bases):
            bare['serialize_data'] = False  # half a second
        return tried(DATASETS.build, bare)

    @cached_property
    def meta(self) -> dict | None:
        """Meta information; None of a wrapper that has none of its own."""
        return self.described[0]

    @cached_property
    def described(self) -> tuple[dict | None, Exception | None]:
        """Meta information, or the error of reading it."""
        meta = self.cfg.get('metainfo') or {}
        if not self.is_leaf:  # keypoints that all are brought to
            combines = 'datasets' in self.cfg and meta
            return tried(_pose_meta, meta) if combines else (None, None)
        dataset, _ = self.built
        if dataset is not None:
            return dict(dataset.metainfo), None
        kind = component(self.cfg['type'])
        meta = {**getattr(kind, 'METAINFO', {}), **meta}
        return tried(_pose_meta, meta) if 'from_file' in meta else (meta, None)

    @property
    def is_here(self) -> bool:
        """Whether its files would be on this machine's disk."""
        return self.is_leaf and self.built[0] is not None and not self.cfg.get('backend_args')

    @cached_property
    def missing_lists(self) -> dict[str, str]:
        """Paths of lists of samples that are not there, by argument."""
        paths = {name: getattr(self.built[0], name, None) for name in ('ann_file', 'bbox_file')}
        return {k: x for k, x in paths.items() if x and not osp.exists(x)}

    @cached_property
    def listed(self) -> tuple[list[dict], Exception | None]:
        """What is known of each sample, or the error of listing them."""

        def full_list() -> list[dict]:
            dataset = self.built[0]
            dataset.full_init()
            return [dataset.get_data_info(i) for i in range(len(dataset))]

        if not self.is_here or self.missing_lists:
            return [], None
        infos, error = tried(full_list)
        return infos or [], error

    @cached_property
    def infos(self) -> list[dict]:
        """What is known of each sample that is a file."""
        infos, _ = self.listed
        # Those of StreetsDataset are drawn.
        return [] if infos and 'scene' in infos[0] else infos

    @cached_property
    def files(self) -> tuple[list[dict], dict[str, list[str]]]:
        """Samples whose files are there, and paths of the others by kind."""
        lost, infos = {}, self.infos
        for name in PATHS:
            here = [osp.isfile(info.get(name) or __file__) for info in infos]
            if not all(here):
                lost[name] = [info[name] for info, is_file in zip(infos, here) if not is_file]
            infos = list(compress(infos, here))
        return infos, lost

    @property
    def labelled(self) -> list[dict]:
        """Samples of segmentation whose image and label are there."""
        infos, _ = self.files
        return infos if infos and 'seg_map_path' in infos[0] else []

    @cached_property
    def label_loader(self) -> tuple[CheckedLoadLabel | None, Exception | None]:
        """What loads labels as the pipeline would and checks them."""

        def build() -> CheckedLoadLabel:
            steps = (
                step for step in self.cfg.get('pipeline', ()) if 'LoadAnnotations' in step['type']
            )
            load = next(steps, dict(type='LoadAnnotations'))
            dataset = self.built[0]
            return CheckedLoadLabel(
                TRANSFORMS.build(dict(load)),
                len(dataset.metainfo.get('classes') or range(256)),
                getattr(dataset, 'ignore_index', 255),
            )

        return tried(build) if self.labelled else (None, None)

    @cached_property
    def label_errors(self) -> list[Exception | None]:
        """What loading some labels raised, None where nothing."""
        loader, _ = self.label_loader

        def load(info: dict) -> None:
            with Image.open(info['img_path']) as image:
                loader(dict(info, ori_shape=image.size[::-1]))

        chosen = _spread(self.labelled, self.looked_at) if loader else []
        return [tried(load, self.labelled[i])[1] for i in chosen]

    @cached_property
    def census(self) -> LabelCensus | None:
        """Pixels by class; None where labels cannot be counted."""
        if not (self.label_loader[0] and self.is_whole and self.meta.get('classes')):
            return None
        return take_census(self.built[0], self.label_loader[0], CENSUS_PIXELS, self.looked_at)

    @cached_property
    def is_whole(self) -> bool:
        """Whether its files can be listed, are there and can be loaded."""
        infos, error = self.listed
        errors = (error, self.files[1], self.label_loader[1], *self.label_errors)
        return bool(infos) and not any(errors)

    @cached_property
    def packed(self) -> tuple[list[dict], Exception | None]:
        """Samples of the pipeline, or its error: the first, other sizes."""
        if self.transform_errors or not self.is_whole:
            return [], None
        others = [] if self.split == 'train' else self._other_sizes()
        samples, error = tried(self._take, [0, *others])
        return samples or [], error

    def _take(self, indices: list[int]) -> list[dict]:
        chosen = dict(self.cfg, serialize_data=False, lazy_init=True)
        if 'indices' not in self.cfg:
            chosen['indices'] = indices
            indices = range(len(indices))
        dataset = DATASETS.build(chosen)
        dataset.full_init()
        return [dataset[i] for i in indices]

    def _other_sizes(self) -> list[int]:
        """Return indices of images whose sizes differ from the first's."""
        sizes = {}
        for i in _spread(self.infos, HEADERS):
            path = self.infos[i].get('img_path')
            if isinstance(path, str) and osp.isfile(path):
                try:
                    with Image.open(path) as image:
                        sizes.setdefault(image.size, i)
                except OSError:
                    continue  # Its loading is an error with its name.
        return [i for i in sizes.values() if i][:SIZES]


def _spread(items: list, count: int) -> list[int]:
    """Return indices of some items, evenly spread."""
    last = max(len(items) - 1, 0)
    chosen = np.unique(np.linspace(0, last, count).astype(int)).tolist()
    return chosen[: len(items)]


def _pose_meta(metainfo: dict) -> dict:
    from mmpose.datasets.datasets.utils import parse_pose_metainfo

    return parse_pose_metainfo(dict(metainfo))

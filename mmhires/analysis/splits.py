# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Configs that test on another split than the configured one."""

import copy
import os.path as osp
import re
from collections.abc import Iterator

from mmengine.config import Config
from mmengine.registry import init_default_scope

from mmhires.registry import DATASETS

# val, images_val, val2017, valannot, val.txt; not validation, interval.
_VAL = re.compile(r'(?<![a-zA-Z])val(?!id|u)')
# What looks as if it were of val, in any spelling.
_LIKE_VAL = re.compile(r'(?<![a-z])val', re.I)


def on_split(cfg: Config, split: str) -> Config:
    """Make a config test on a split such as ``test``.

    ``split`` takes the place of ``val`` in ``data_prefix``, ``ann_file`` and ``split`` of the test
    dataset and of those that it wraps, in the last folder of ``data_root`` if none of them has it,
    and in ``ann_file`` of the test evaluator. A test dataset that is of the split already stays.

    Args:
        cfg: A complete config of a runner; it is not changed.
        split: Name of the split.

    Returns:
        A copy.

    Raises:
        ValueError: There is nothing to replace, or it would leave the paths of two splits together.
        FileNotFoundError: What it would test on does not exist or is empty.
    """
    if not re.fullmatch(r'\w[\w.-]*', split):
        raise ValueError(f'--split {split!r} is not the name of a split')
    cfg = copy.deepcopy(cfg)
    datasets = [*_datasets(cfg.test_dataloader.dataset)]
    for dataset in datasets:
        _move(dataset, split)
    evaluators = cfg.get('test_evaluator') or []
    for evaluator in evaluators if isinstance(evaluators, list) else [evaluators]:
        if evaluator.get('ann_file'):
            folder, name = osp.split(evaluator.ann_file)
            evaluator.ann_file = osp.join(folder, _VAL.sub(split, name))
            _need(evaluator.ann_file, split)
    init_default_scope(cfg.get('default_scope', 'mmseg'))
    dataset = copy.deepcopy(cfg.test_dataloader.dataset)
    try:
        length = len(DATASETS.build(dataset))
    except (OSError, ValueError) as error:
        kind = FileNotFoundError if isinstance(error, OSError) else ValueError
        raise kind(f'--split {split}: the test dataset cannot be built: {error}') from error
    if not length:
        raise FileNotFoundError(f'--split {split}: the test dataset is empty')
    return cfg


def _datasets(cfg: dict) -> Iterator[dict]:
    """Yield the datasets of a config, inside wrappers too."""
    inner = [*cfg.get('datasets', ()), *filter(None, [cfg.get('dataset')])]
    for dataset in inner:
        yield from _datasets(dataset)
    if not inner:
        yield cfg


def _move(dataset: dict, split: str) -> None:
    """Replace val in the paths of a dataset, or raise an error."""
    before = dict(_paths(dataset))
    after = {key: _VAL.sub(split, path) for key, path in before.items()}
    root = osp.normpath(dataset.get('data_root') or '')
    replaced = before != after
    if dataset.get('split') == 'val':
        dataset['split'], replaced = split, True
    if not replaced and osp.basename(root) == 'val':
        after['data_root'] = osp.join(osp.dirname(root), split)
        replaced = True
    named = dict(after, split=dataset.get('split') or '')
    own = re.compile(rf'(?<![a-zA-Z]){re.escape(split)}(?![a-zA-Z])')
    if not replaced and not any(map(own.search, named.values())):
        raise ValueError(
            f'--split {split}: nothing in the test dataset is called val, to be replaced: {named}. '
            'Name the split by --cfg-options test_dataloader.dataset..., without --split'
        )
    left = [key for key in after if after[key] == before.get(key) and _LIKE_VAL.search(after[key])]
    if left:
        raise ValueError(
            f'--split {split} would test {after}, in which {sorted(left)} is still of val. Name '
            'the split by --cfg-options test_dataloader.dataset..., without --split'
        )
    for key, path in after.items():
        if key in ('ann_file', 'data_root'):
            dataset[key] = path
        else:
            dataset['data_prefix'][key] = path
    for path in dict(_paths(dataset)).values():
        _need(osp.join(dataset.get('data_root') or '', path), split)


def _paths(dataset: dict) -> Iterator[tuple[str, str]]:
    """Return the relative paths of a dataset by key."""
    paths = dict(dataset.get('data_prefix') or {}, ann_file=dataset.get('ann_file'))
    for key, path in paths.items():
        if isinstance(path, str) and path:
            yield key, path


def _need(path: str, split: str) -> None:
    if '://' not in path and not osp.exists(path):
        raise FileNotFoundError(f'--split {split}: there is no {path}')

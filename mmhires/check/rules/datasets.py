# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Transforms and files of the data sets, and values of their labels."""

import os.path as osp
import re
from collections import defaultdict
from collections.abc import Mapping

from mmhires.datasets.label_census import remedy
from mmhires.dryrun.config_tree import component

from ..context import Context
from ..datasets import DataSet, transform_errors
from ..finding import Finding, Findings
from ..remedies import from_error

DO = 'put the data there, or correct the path'


def findings(ctx: Context) -> Findings:
    """Yield findings of each data set; a missing root hides what follows."""
    for dataset in ctx.datasets:
        yield from _errors(dataset.transform_errors)
        found = list(_file_findings(dataset))
        root, kind = dataset.cfg.get('data_root'), dataset.cfg['type']
        if found and root and component(kind) and not osp.isdir(root):
            found = [Finding('missing', f'{dataset.key}.data_root', f'no {root}', DO)]
        yield from found
    yield from _errors(transform_errors('tta_pipeline', ctx.cfg.get('tta_pipeline')))


def _errors(errors: Mapping[str, Exception]) -> Findings:
    for key, error in errors.items():
        yield from_error(key, error)


def _file_findings(dataset: DataSet) -> Findings:
    key = dataset.key
    if not dataset.is_leaf:
        if error := dataset.described[1]:
            yield from_error(f'{key}.metainfo', error)
        return
    if error := dataset.built[1]:
        yield from_error(key, error)
    if not dataset.is_here:
        return
    for name, path in dataset.missing_lists.items():
        yield Finding('missing', f'{key}.{name}', f'no {path}', DO)
    if dataset.missing_lists:
        return
    infos, error = dataset.listed
    if error:
        yield from_error(key, error, 'missing')
    elif not infos:
        yield Finding(
            'missing',
            key,
            'the data set is empty',
            'compare data_prefix, img_suffix and ann_file with the files',
        )
    total = len(dataset.infos)
    for name, paths in dataset.files[1].items():
        yield Finding(
            'missing',
            f'{key}.{name}',
            f'{len(paths)} of {total} files are not there, {paths[0]} for one',
            'complete the pairs of images and labels, or list the whole ones in ann_file',
        )
        total -= len(paths)
    yield from _label_findings(dataset)
    if error := dataset.packed[1]:
        yield from_error(f'{key}.pipeline', error)


def _label_findings(dataset: DataSet) -> Findings:
    """Yield one finding for all labels alike, and classes that none has."""
    if error := dataset.label_loader[1]:
        yield from_error(dataset.key, error)
    alike, looked_at = defaultdict(list), len(dataset.label_errors)
    for error in filter(None, dataset.label_errors):
        alike[re.sub(r'\S*[\d/]\S*', '', str(error))].append(error)
    for errors in alike.values():
        yield Finding(
            'labels',
            dataset.key,
            f'{len(errors)} of {looked_at} looked into, for one: {errors[0]}',
            'convert or replace the files, or '
            'correct metainfo.classes, reduce_zero_label or ignore_index',
        )
    if dataset.census and (absent := dataset.census.absent_classes()):
        yield Finding('labels', dataset.key, absent, remedy(dataset.built[0]), 'warning')

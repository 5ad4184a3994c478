# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Conversion of published state dicts to our keys."""

import os
from importlib import import_module

import torch
from torch import Tensor

from mmhires.utils.checkpoints import write_checkpoint
from mmhires.utils.errors import first_line
from mmhires.utils.files import refuse_overwriting
from mmhires.utils.state_dict import StateDict, strip_prefixes

from .sources import SOURCES

# Of MMSegmentation, by the number of classes that a published network has.
_DATASETS = {
    19: 'CityscapesDataset',
    20: 'CityscapesDataset',
    59: 'PascalContextDataset59',
    60: 'PascalContextDataset',
    150: 'ADE20KDataset',
}


def convert(state_dict: StateDict, source: str, reverse: bool = False) -> StateDict:
    """Rename the keys of a published checkpoint to those of our model.

    Args:
        state_dict: Without the outer dict of a checkpoint file; prefixes like ``module.`` are taken
            off.
        source: Who published it, a key of ``SOURCES``.
        reverse: From our keys to those of ``source``, a key that is ``two_way``. Default: False.

    Returns:
        Loads strictly into the model of the matching config. The tensors of ``state_dict`` are not
        changed.

    Raises:
        ValueError: Unknown source, one that ``reverse`` does not know, or weights of another
            architecture.
        KeyError: Keys that the source does not have.
    """
    known = [name for name in SOURCES if SOURCES[name].two_way or not reverse]
    if source not in known:
        kind = 'target' if reverse else 'source'
        raise ValueError(f'unknown {kind} {source!r}; there are {", ".join(known)}')
    converter = import_module(f'.{SOURCES[source].module}', __package__)
    return converter.convert(strip_prefixes(dict(state_dict)), source, reverse)


def dataset_meta(weights: StateDict) -> dict | None:
    """Return classes and colours of a published network by class count.

    Args:
        weights: By our keys.

    Returns:
        ``classes`` and ``palette`` of Cityscapes (19), of EdgeNets' Cityscapes (20), Pascal Context
        (59 and 60) or ADE20K (150); None of a backbone, or of any other number of classes.
    """
    classifier = weights.get('decode_head.conv_seg.weight', ())
    name = _DATASETS.get(len(classifier))
    if name is None:
        return None
    from mmseg import datasets

    meta = getattr(datasets, name).METAINFO
    meta = dict(classes=list(meta['classes']), palette=list(meta['palette']))
    if len(classifier) == 20:
        meta['classes'].append('background')
        meta['palette'].append([0, 0, 0])
    return meta


def convert_checkpoint(src: str | os.PathLike, source: str | None, reverse: bool = False) -> dict:
    """Read a checkpoint file and convert it; see :func:`convert`.

    Args:
        src: What :func:`torch.load` reads with ``weights_only=True``: a state dict, or a dict that
            has it as ``state_dict`` or ``model``.
        source: As of :func:`convert`; None leaves the keys.
        reverse: As of :func:`convert`. Default: False.

    Returns:
        ``state_dict`` and, for MMEngine, ``meta``, with the ``dataset_meta`` of the file or, of a
        published network, of :func:`dataset_meta`.

    Raises:
        FileNotFoundError: There is no ``src``.
        ValueError: ``src`` is not a checkpoint, or as of :func:`convert`.
        KeyError: As of :func:`convert`.
    """
    try:
        content = torch.load(src, map_location='cpu', weights_only=True)
    except Exception as error:
        # Of the file system; of a torn file they name none.
        if isinstance(error, OSError) and error.filename is not None:
            raise
        raise ValueError(
            f'{src} is not a checkpoint that can be read safely: {first_line(error)}'
        ) from error
    state_dict = content
    if isinstance(content, dict):
        state_dict = content.get('state_dict', content.get('model', content))
    if not isinstance(state_dict, dict) or not all(
        isinstance(value, Tensor) for value in state_dict.values()
    ):
        raise ValueError(f'{src} holds no state dict')
    if source is not None:
        state_dict = convert(state_dict, source, reverse)
    meta = content.get('meta', {}).get('dataset_meta')
    if not meta and not reverse:
        meta = dataset_meta(state_dict)
    return dict(meta=dict(dataset_meta=meta) if meta else {}, state_dict=state_dict)


def convert_file(
    src: str | os.PathLike, dst: str | os.PathLike, source: str, reverse: bool = False
) -> StateDict:
    """Convert a checkpoint file to another; see :func:`convert_checkpoint`.

    Args:
        src: Read.
        dst: Written whole or not at all, its folder made if needed.
        source: As of :func:`convert`.
        reverse: As of :func:`convert`. Default: False.

    Returns:
        The written ``state_dict``.

    Raises:
        ValueError: ``dst`` is ``src``, or as of :func:`convert_checkpoint`.
    """
    refuse_overwriting([dst], [src])
    converted = convert_checkpoint(src, source, reverse)
    write_checkpoint(converted, dst)
    return converted['state_dict']

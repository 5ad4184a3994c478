# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""State dicts that others published, renamed to ours."""
import os
from collections.abc import Callable

import torch
from torch import Tensor

from mmhires.compat.atomic import open_whole
from mmhires.utils.state_dict import strip_prefixes

StateDict = dict[str, Tensor]
# By source; each file of this package adds its own here.
SOURCES: dict[str, Callable[[StateDict], StateDict]] = {}
# Back to the names of the source, where that makes sense.
TARGETS: dict[str, Callable[[StateDict], StateDict]] = {}


def convert(state_dict: StateDict,
            source: str,
            reverse: bool = False) -> StateDict:
    """Rename the keys of a published checkpoint to those of our model.

    Args:
        state_dict (dict[str, Tensor]): Without the outer dict of a checkpoint
            file; prefixes like ``module.`` are taken off.
        source (str): Who published it, a key of ``SOURCES``.
        reverse (bool): From our keys to those of ``source``, a key of
            ``TARGETS``. Default: False.

    Returns:
        dict[str, Tensor]: Loads strictly into the model of the matching
        config. The tensors of ``state_dict`` are not changed.

    Raises:
        ValueError: Unknown source, one that ``reverse`` does not know, or
            weights of another architecture.
        KeyError: Keys that the source does not have.
    """
    converters = TARGETS if reverse else SOURCES
    if source not in converters:
        raise ValueError(
            f'unknown {"target" if reverse else "source"} {source!r}; there '
            f'are {", ".join(sorted(converters))}')
    return converters[source](strip_prefixes(dict(state_dict)))


def convert_file(src: str,
                 dst: str,
                 source: str,
                 reverse: bool = False) -> StateDict:
    """Convert a checkpoint file; see :func:`convert`.

    Args:
        src (str): What :func:`torch.load` reads with ``weights_only=True``: a
            state dict, or a dict that has it as ``state_dict`` or ``model``.
        dst (str): Written whole or not at all, its folder made if needed: a
            dict of the ``state_dict`` and, for MMEngine, ``meta``, of which
            ``dataset_meta`` is kept.
        source (str): As of :func:`convert`.
        reverse (bool): As of :func:`convert`. Default: False.

    Returns:
        dict[str, Tensor]: The written ``state_dict``.

    Raises:
        FileNotFoundError: There is no ``src``.
        ValueError: ``src`` is no checkpoint, or as of :func:`convert`.
        KeyError: As of :func:`convert`.
    """
    try:
        content = torch.load(src, map_location='cpu', weights_only=True)
    except OSError:
        raise
    except Exception as error:
        raise ValueError(f'{src} is no checkpoint that can be read safely: '
                         f'{str(error).splitlines()[0]}') from error
    state_dict = content
    for key in ('state_dict', 'model'):
        if isinstance(content, dict) and key in content:
            state_dict = content[key]
            break
    if not isinstance(state_dict, dict) or not all(
            isinstance(value, Tensor) for value in state_dict.values()):
        raise ValueError(f'{src} holds no state dict')
    converted = convert(state_dict, source, reverse)
    dataset = content.get('meta', {}).get('dataset_meta')
    meta = dict(dataset_meta=dataset) if dataset else {}
    os.makedirs(os.path.dirname(os.path.abspath(dst)), exist_ok=True)
    with open_whole(dst, 'wb') as file:
        torch.save(dict(meta=meta, state_dict=converted), file)
    return converted

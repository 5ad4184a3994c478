# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Published DDRNet weights under our keys."""

import re
from collections.abc import Mapping
from functools import partial

import torch
from mmengine.model import PretrainedInit
from mmengine.runner.checkpoint import CheckpointLoader
from torch import Tensor, nn

from mmhires.utils.state_dict import Rules, take, translate

# Of each layout of names: a key that it has and no other, the stem's first
# weight, and the beginning of what only a network of three groups has.
LAYOUTS = dict(
    mmhires=('low_bottleneck.conv1.conv.weight', 'stem.0.conv.weight', 'low.2.'),
    mmseg=('context_branch_layers.2.0.conv1.conv.weight', 'stem.0.conv.weight', 'low.2.'),
    authors=('layer5_.0.conv1.weight', 'conv1.0.weight', 'layer3_2.'),
)
# From our keys to MMSegmentation's, applied one after the other.
MMSEG: Rules = (
    (r'^layer1\.', 'stem.2.'),
    (r'^layer2\.', 'stem.4.'),
    (r'^low\.', 'context_branch_layers.'),
    (r'^low_bottleneck\.', 'context_branch_layers.2.0.'),
    (r'^high\.', 'spatial_branch_layers.'),
    (r'^high_bottleneck\.', 'spatial_branch_layers.2.0.'),
    (r'^fusions\.0\.compress\.', 'compression_1.'),
    (r'^fusions\.1\.compress\.', 'compression_2.'),
    (r'^fusions\.0\.down\.0\.', 'down_1.'),
    (r'^fusions\.1\.down\.', 'down_2.'),
    (r'\.downsample\.conv\.', '.downsample.0.'),
    (r'\.downsample\.bn\.', '.downsample.1.'),
)
# Convolution and norm, each once or twice, in the authors' sequences.
_SEQUENCES: Rules = (
    (r'\.0\.conv\.', '.0.'),
    (r'\.0\.bn\.', '.1.'),
    (r'\.1\.conv\.', '.3.'),
    (r'\.1\.bn\.', '.4.'),
)


def authors(groups: int) -> Rules:
    """Translate our keys to the authors'.

    Args:
        groups: Groups of conv4 and conv5 in each branch, two of DDRNet-23 and three of DDRNet-39.

    Returns:
        Rules of :func:`translate`.
    """
    names = ('3', '4') if groups == 2 else ('3_1', '3_2', '4')
    return (
        (r'^stem\.', 'conv1.'),
        (r'^low_bottleneck\.', 'layer5.0.'),
        (r'^high_bottleneck\.', 'layer5_.0.'),
        *(
            (rf'^{ours}\.{i}\.{below}', theirs.format(name))
            for i, name in enumerate(names)
            for ours, below, theirs in (
                ('low', '', 'layer{}.'),
                ('high', '', 'layer{}_.'),
                ('fusions', r'compress\.', 'compression{}.0.'),
                ('fusions', r'down\.', 'down{}.'),
            )
        ),
        (r'\.conv(\d)\.conv\.', r'.conv\1.'),
        (r'\.conv(\d)\.bn\.', r'.bn\1.'),
        (r'\.downsample\.', '.downsample.0.'),
        *_SEQUENCES,
    )


def find(state_dict: Mapping[str, Tensor], prefix: str | None = None) -> tuple[str, str] | None:
    """Find the backbone among weights.

    Args:
        state_dict: Any weights.
        prefix: What stands before the backbone's keys. Default: None, whatever it may be.

    Returns:
        A key of ``LAYOUTS`` and the prefix; None if there is no DDRNet.
    """
    for layout, (marker, *_) in LAYOUTS.items():
        for key in state_dict:
            match = re.fullmatch(rf'((?:.*\.)?){re.escape(marker)}', key)
            if match and prefix in (None, match[1]):
                return layout, match[1]
    return None


def size_of(state_dict: Mapping[str, Tensor], layout: str, prefix: str) -> tuple[int, int]:
    """Return stem width and number of groups; width 0 without a stem."""
    _, stem, third = LAYOUTS[layout]
    width = len(state_dict.get(prefix + stem, ()))
    large = any(key.startswith(prefix + third) for key in state_dict)
    return width, 3 if large else 2


def network_name(arch_settings: Mapping[str, dict], width: int, groups: int) -> str:
    """Return the name of the network of a width and a number of groups."""
    for arch, size in arch_settings.items():
        if (size['channels'], len(size['depths']) - 2) == (width, groups):
            return f'DDRNet-{arch}'
    return f'a DDRNet of width {width} with {groups} fusions'


def add_stem_biases(state_dict: dict[str, Tensor], prefix: str = '') -> None:
    """Add zero biases for MMSegmentation's stem, which has none."""
    for i in range(2):
        norm = state_dict.get(f'{prefix}stem.{i}.bn.bias')
        if norm is not None:
            state_dict.setdefault(f'{prefix}stem.{i}.conv.bias', torch.zeros_like(norm))


def pretrained_cfg(init_cfg: dict | list[dict] | None) -> dict | None:
    """Return the arguments of ``type='Pretrained'``, if in ``init_cfg``."""
    for cfg in init_cfg if isinstance(init_cfg, list) else [init_cfg or {}]:
        if cfg.get('type') in ('Pretrained', PretrainedInit):
            return {key: cfg[key] for key in cfg if key != 'type'}
    return None


def load_pretrained(
    backbone: nn.Module, checkpoint: str, prefix: str | None = None, map_location: str = 'cpu'
) -> None:
    """Load a DDRNet from any checkpoint that contains one.

    Args:
        backbone: Where to.
        checkpoint: File or URL: ours, MMSegmentation's or the authors', of the backbone, the
            segmentor or the classifier.
        prefix: What stands before the backbone's keys. Default: None, found out.
        map_location: As of :func:`torch.load`. Default: ``'cpu'``.

    Raises:
        ValueError: The checkpoint has no DDRNet, another one, or not all of it.
    """
    content = CheckpointLoader.load_checkpoint(checkpoint, map_location, 'current')
    state_dict = content.get('state_dict', content.get('model', content))
    found = find(state_dict, prefix)
    if found is None:
        where = f' below {prefix!r}' if prefix else ''
        raise ValueError(
            f'{checkpoint}: no weights of a DDRNet backbone{where}, neither '
            "by our keys nor by MMSegmentation's or the authors'; among its "
            f'{len(state_dict)} keys are {list(state_dict)[:3]}'
        )
    layout, prefix = found
    rules = dict(mmseg=MMSEG, authors=authors(len(backbone.low)))
    name = partial(translate, rules=rules.get(layout, ()))
    expected = backbone.state_dict()
    # What has other names belongs to a head.
    own = tuple({prefix + name(key).split('.')[0] + '.' for key in expected})
    part = {key[len(prefix) :]: value for key, value in state_dict.items() if key.startswith(own)}
    if layout == 'mmseg':
        add_stem_biases(part)
    try:
        check_size(backbone, state_dict, layout, prefix)
        backbone.load_state_dict(take(expected, part, name))
    except ValueError as error:
        raise ValueError(f'{checkpoint}: {error}') from error


def check_size(
    backbone: nn.Module, state_dict: Mapping[str, Tensor], layout: str, prefix: str = ''
) -> None:
    """Raise an error for weights of another network of the family.

    Raises:
        ValueError: Which one they are of.
    """
    size = size_of(state_dict, layout, prefix)
    own = backbone.stem[0].out_channels, len(backbone.low)
    if size[0] and size != own:
        theirs, ours = (network_name(backbone.arch_settings, *x) for x in (size, own))
        raise ValueError(f'these are weights of {theirs}, but the model has {ours}')


def check_keys(backbone: nn.Module, state_dict: Mapping[str, Tensor], prefix: str) -> None:
    """Raise an error for keys that loading without ``strict`` ignores.

    Raises:
        ValueError: The weights are of another network of the family, or have the names of another
            layout.
    """
    layout, _ = find(state_dict, prefix) or ('mmhires', None)
    if layout != 'mmhires':
        raise ValueError(
            f'the weights {prefix + "*"!r} have the names of {layout}; run '
            'tools/model_converters/convert.py on the checkpoint first'
        )
    check_size(backbone, state_dict, layout, prefix)

# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Joint pyramid upsampling instead of dilated convolutions."""

import inspect
from collections.abc import Iterator

from mmhires.dryrun.config_tree import component
from mmhires.dryrun.meta_device import maps_of

from .host_config import AdaptError, Upstream
from .writing import Code


def changes(upstream: Upstream, _scale=None, _=None) -> Iterator[dict]:
    """Yield settings of a child config.

    Args:
        upstream: The config.

    Yields:
        Settings by name.

    Raises:
        AdaptError: The backbone has no dilation that could go.
    """
    cfg = upstream.cfg.model
    if upstream.task.crops:
        raise AdaptError('JPU replaces dilation, which MMPose does not use')
    if cfg.get('backbone') is None:
        raise AdaptError(f'{cfg.type} has no backbone')
    if cfg.get('neck') is not None:
        raise AdaptError('JPU would take the place of the neck there is')
    changed = {  # back to the defaults of the class and those it is based on
        name: tuple(parameter.default)
        for base in inspect.getmro(component(cfg.backbone.type))[::-1]
        for name, parameter in inspect.signature(base.__init__).parameters.items()
        if name in ('strides', 'dilations')
        and tuple(cfg.backbone.get(name, parameter.default)) != tuple(parameter.default)
    }
    if cfg.backbone.get('output_stride', 32) < 32:  # of timm
        changed['output_stride'] = 32
    if not {'strides', 'output_stride'} & changed.keys():
        raise AdaptError(
            'the backbone has no stride replaced by dilation, so there is '
            'nothing for JPU to replace'
        )
    _, maps = upstream.maps(1, backbone=changed)
    heights = [x.shape[2] for x in maps_of(maps).values()]
    if [round(max(heights[-3:]) / x) for x in heights[-3:]] != [1, 2, 4]:
        raise AdaptError(
            'JPU needs the maps of stride 8, 16 and 32; the backbone gives maps of height '
            f'{heights} for an image of {upstream.size[0]}'
        )
    widths = [x.shape[1] for x in maps[-3:]]
    neck = dict(type='mmhires.JPU', in_channels=tuple(widths), mid_channels=widths[-1] // 4)
    if cfg.backbone.get('norm_cfg'):
        neck['norm_cfg'] = Code('_base_.model.backbone.norm_cfg')
    yield dict(model=dict(backbone=changed, neck=neck))

# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""DSRL in the place of a decode head or a heatmap head."""
import copy

import torch
from mmengine.registry import MODELS
from torch import Tensor, nn

from mmhires.check import probe
from mmhires.utils.errors import first_line

from .upstream import Refused, Upstream, number


def changes(upstream: Upstream, scale: int, _=None) -> str:
    """The part ``model`` of a child config.

    Args:
        upstream (Upstream): The config.
        scale (int): Full-size image : network input.

    Returns:
        str: Python text.

    Raises:
        Refused: The head cannot be wrapped, or the model has another frame.
    """
    pose = upstream.cfg.default_scope == 'mmpose'
    return (_pose if pose else _segmentation)(upstream, scale)


def _segmentation(upstream: Upstream, scale: int) -> str:
    cfg = upstream.cfg.model
    if cfg.type != 'EncoderDecoder':
        raise Refused(f'{cfg.type} is no EncoderDecoder: DSRL takes the place '
                      'of its one decode head')
    dsrl = dict(
        type='mmhires.DSRLHead', seg_head=cfg.decode_head, scale=scale)
    preprocessor = preprocessing(upstream, scale)
    sisr = _sisr_head(upstream, scale, dsrl)
    whole = whole_test(cfg)
    return f'''model = dict(
    data_preprocessor={preprocessor},
    decode_head=dict(
        _delete_=True,
        type='mmhires.DSRLHead',
        seg_head=_base_.model.decode_head,{_scale(scale, 8)}
        sisr_head={sisr}),
        loss_fa=dict(type='mmhires.FALoss')){whole})
'''


def _pose(upstream: Upstream, scale: int) -> str:
    from mmpose.models.heads import HeatmapHead
    cfg = upstream.cfg.model
    if cfg.type != 'TopdownPoseEstimator':
        raise Refused(f'{cfg.type} is no TopdownPoseEstimator: DSRL enlarges '
                      'the heatmaps of one person')
    head = cfg.get('head') or {}
    kind = probe.component(MODELS, head.get('type', ''))
    if kind is None or not issubclass(kind, HeatmapHead):
        raise Refused(f'{head.get("type")} predicts no heatmaps as '
                      'HeatmapHead does, so there is nothing to enlarge')
    if any(side % scale for side in upstream.size):
        raise Refused(f'crops of {upstream.size} are no multiple of {scale}')
    loss = head.get('loss')
    wrapped = '_base_.model.head'
    if isinstance(loss, dict) and 'MSE' in loss.type:
        # As a mean over nearly empty heatmaps it is about 1/1000 of the
        # cross-entropy that the other weights were chosen for.
        weight = 1000. * loss.get('loss_weight', 1.)
        wrapped = (f'dict(\n            {wrapped},\n            loss=dict('
                   f'{wrapped}.loss, loss_weight={weight!r}))')
    dsrl = dict(
        type='mmhires.DSRLHeatmapHead', heatmap_head=head, scale=scale)
    sisr = _sisr_head(upstream, scale, dsrl)
    return f'''model = dict(
    data_preprocessor=dict(
        type='mmhires.LowResPoseDataPreprocessor', scale={scale}),
    head=dict(
        _delete_=True,
        type='mmhires.DSRLHeatmapHead',
        heatmap_head={wrapped},{_scale(scale, 8)}
        sisr_head={sisr}),
        loss_fa=dict(type='mmhires.FALoss')))
'''


def _scale(scale: int, indent: int) -> str:
    return '' if scale == 2 else f'\n{" " * indent}scale={scale},'


def _sisr_head(upstream: Upstream, scale: int, dsrl: dict) -> str:
    """The line that differs from network to network."""
    _, maps = upstream.maps(scale)
    try:
        head = MODELS.build(copy.deepcopy(dsrl)).to('meta')
        with probe.shapes_only():
            height, width = head.sssr_features(maps).shape[-2:]
    except Exception as error:
        raise Refused(first_line(error)) from error
    strides = [
        -(-side // scale) * scale / got
        for side, got in zip(upstream.size, (height, width))
    ]
    upscale = round(strides[0])
    if upscale < 1 or round(strides[1]) != upscale:
        raise Refused(f'the features of the head are 1/{strides[0]:.3g} and '
                      f'1/{strides[1]:.3g} as high and wide as the image, so '
                      'no image can be made of them')
    index = sorted(_finest_and_deepest(maps))
    widths = [maps[i].shape[1] for i in index]
    return (f"dict(\n            type='mmhires.SISRHead',\n            "
            f'in_channels={number(widths)}, in_index={number(index)}, '
            f'upscale={upscale}')


def _finest_and_deepest(maps: list) -> set[int]:
    pixels = {
        i: x[0, 0].numel()
        for i, x in enumerate(maps) if isinstance(x, Tensor) and x.ndim == 4
    }
    if not pixels:
        raise Refused('the backbone returns no maps (N, C, H, W)')
    # Of maps of one size the last is the deepest.
    return {
        max(pixels, key=pixels.get),
        min(reversed(pixels), key=pixels.get)
    }


def preprocessing(upstream: Upstream, scale: int, divisor: int = 0) -> str:
    """Segmentation: the data preprocessor, with padding that scale divides."""
    cfg = upstream.cfg.model.get('data_preprocessor') or {}
    if cfg.get('type') != 'SegDataPreProcessor':
        raise Refused(f'data preprocessor {cfg.get("type")} is not that of '
                      'MMSegmentation')
    text = f"dict(\n        type='mmhires.LowResSegDataPreProcessor', scale={scale}"
    size = cfg.get('size')
    if size and any(side % scale for side in size):
        text += f', size={tuple(-(-side // scale) * scale for side in size)}'
    if divisor:
        text += f',\n        test_cfg=dict(_delete_=True, size_divisor={divisor})' if cfg.get(
            'test_cfg') else f',\n        test_cfg=dict(size_divisor={divisor})'
    return text + ')'


def whole_test(cfg: dict) -> str:
    """Segmentation: windows would be cut out of the small image."""
    if (cfg.get('test_cfg') or {}).get('mode') != 'slide':
        return ''
    return ",\n    test_cfg=dict(_delete_=True, mode='whole')"

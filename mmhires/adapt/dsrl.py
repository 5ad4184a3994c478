# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""DSRL instead of a decode head or a heatmap head."""

import copy
from collections.abc import Iterator
from contextlib import suppress

from mmengine.registry import MODELS

from mmhires.dryrun.config_tree import component
from mmhires.dryrun.meta_device import maps_of, shapes_only
from mmhires.models.losses.feature_affinity import fitting_subsample
from mmhires.utils.input_channels import input_channels
from mmhires.utils.ratio import as_ratio, full_step

from . import pose
from .host_config import LOGITS, AdaptError, Upstream, number, refusing, taught
from .pose import has_bins, reduced_bins
from .writing import BASE, Code


def changes(upstream: Upstream, scale: float, teacher_ckpt: str | None) -> Iterator[dict]:
    """Yield settings of a child config.

    Args:
        upstream: The config.
        scale: Full-size image : network input.
        teacher_ckpt: Weights of the config's model, to start from and to be taught by, instead of
            SISR and FA.

    Yields:
        Settings by name.

    Raises:
        AdaptError: The head cannot be wrapped, or the model has another frame.
    """
    if upstream.task.crops:
        yield _pose(upstream, scale, teacher_ckpt)
        return
    upstream.expect('EncoderDecoder', 'DSRL takes the place of its one decode head')
    head = dict(
        _delete_=True,
        type='mmhires.DSRLHead',
        seg_head=Code('_base_.model.decode_head'),
        scale=scale,
    )
    if teacher_ckpt is not None:  # sub-pixel SSSR, started and taught by the full-size network
        head['sssr'] = 'subpixel'
    else:
        dsrl = dict(type=head['type'], seg_head=upstream.cfg.model.decode_head, scale=scale)
        head.update(_super_resolution(upstream, scale, dsrl))
    head = dict(decode_head=head)
    yield taught(upstream, preprocessing(upstream, scale), head, teacher_ckpt, [LOGITS])


def _pose(upstream: Upstream, scale: float, teacher_ckpt: str | None) -> dict:
    """Return settings for DSRL of heatmaps, or of bins, which stay as they are."""
    if has_bins(upstream):
        return reduced_bins(upstream, scale, teacher_ckpt)
    preprocessor = pose.preprocessing(upstream, scale)
    wrapped, weight = _heatmap_head(upstream)
    dsrl = dict(type='mmhires.DSRLHeatmapHead', heatmap_head=upstream.cfg.model.head, scale=scale)
    head = dict(dsrl, _delete_=True, heatmap_head=wrapped)
    if teacher_ckpt is None:
        head.update(_super_resolution(upstream, scale, dsrl))
    losses = [dict(type='mmhires.FeatureL2Loss', reduction='mean', loss_weight=weight)]
    return taught(upstream, preprocessor, dict(head=head), teacher_ckpt, losses)


def _heatmap_head(upstream: Upstream) -> tuple[Code | dict, float]:
    """Return the head that DSRL can wrap, and the weight of its loss."""
    from mmpose.models.heads import HeatmapHead

    head = upstream.cfg.model.get('head') or {}
    kind = component(head.get('type', ''))
    if kind is None or not issubclass(kind, HeatmapHead):
        raise AdaptError(
            f'{head.get("type")} predicts no heatmaps as '
            'HeatmapHead does, so there is nothing to enlarge'
        )
    loss, wrapped = head.get('loss'), Code('_base_.model.head')
    if not isinstance(loss, dict) or 'MSE' not in loss.type:
        return wrapped, 1.0
    # As a mean over nearly empty heatmaps it is about 1/1000 of the
    # cross-entropy that the other weights were chosen for.
    weight = 1000.0 * loss.get('loss_weight', 1.0)
    loss = {BASE: Code(f'{wrapped}.loss'), 'loss_weight': weight}
    return {BASE: wrapped, 'loss': loss}, weight


def _super_resolution(upstream: Upstream, scale: float, dsrl: dict) -> dict:
    """Return SISR and FA, which depend on the network."""
    model, maps = upstream.maps(scale)
    upscale = _stride(upstream, scale, dsrl, maps)
    pixels = {i: x[0, 0].numel() for i, x in maps_of(maps).items()}
    # Of the finest and the coarsest; of maps of one size the last is deepest.
    index = sorted({max(pixels, key=pixels.get), min(reversed(pixels), key=pixels.get)})
    channels = input_channels(model)
    sisr_head = dict(
        type='mmhires.SISRHead',
        in_channels=number([maps[i].shape[1] for i in index]),
        in_index=number(index),
        upscale=upscale,
    )
    if channels != 3:
        sisr_head['image_channels'] = channels
    subsample = fitting_subsample([-(-x // upscale) for x in upstream.size])
    pooling = {} if subsample == 8 else dict(subsample=subsample)
    return dict(sisr_head=sisr_head, loss_fa=dict(type='mmhires.FALoss', **pooling))


def _stride(upstream: Upstream, scale: float, dsrl: dict, maps: list) -> int:
    """Return the stride of the SSSR features in the full-size image.

    Networks round the sizes of maps up: of an image that no stride divides they are larger than the
    stride says. So one is asked that strides divide, unless the network takes images of its own
    size alone.
    """
    step = full_step(as_ratio(scale), 64)
    even = [-(-side // step) * step for side in upstream.size]
    size = upstream.padded(scale)
    if not upstream.task.crops:
        with suppress(AdaptError):
            maps, size = upstream.maps(scale, even)[1], even
    with refusing(), shapes_only():
        head = MODELS.build(copy.deepcopy(dsrl)).to('meta')
        features = head.sssr_features(maps).shape[-2:]
    strides = [side / got for side, got in zip(size, features)]
    upscale = round(strides[0])
    if upscale < 1 or round(strides[1]) != upscale:
        raise AdaptError(
            f'the features of the head are 1/{strides[0]:.3g} and 1/{strides[1]:.3g} as high and '
            f'wide as the image of {tuple(size)}, so no image can be made of them: give training '
            f'crops that {step} divides'
        )
    return upscale


def preprocessing(upstream: Upstream, scale: float) -> dict:
    """Return the data preprocessor with its padding.

    In testing each map has to be the double of the next one, as it is for the crops of training:
    odd sides can cost several points.
    """
    cfg = upstream.cfg.model.get('data_preprocessor') or {}
    # One of ours that reduces nothing does what MMSegmentation's does.
    ours = str(cfg.get('type')).removeprefix('mmhires.')
    whole = ours == 'LowResSegDataPreProcessor' and cfg.get('scale') == 1
    if cfg.get('type') != 'SegDataPreProcessor' and not whole:
        raise AdaptError(f'data preprocessor {cfg.get("type")} is not that of MMSegmentation')
    divisor = full_step(as_ratio(scale), upstream.stride)
    step = divisor if upstream.rounds(scale) else scale
    changes = dict(upstream.top_preprocessor, type='mmhires.LowResSegDataPreProcessor', scale=scale)
    size = cfg.get('size')
    if size and any(side % step for side in size):
        changes['size'] = tuple(-(-side // step) * step for side in size)
    elif upstream.rounds(scale) and not size:
        changes['size_divisor'] = step
    merged = cfg.get('test_cfg') and not upstream.top_preprocessor
    anew = dict(_delete_=True) if merged else {}
    return dict(changes, test_cfg=dict(anew, size_divisor=divisor))

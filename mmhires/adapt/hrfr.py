# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""HRFR around a segmentor, which becomes its own teacher."""

from collections.abc import Iterator

from mmengine.config import Config
from torch import nn

from mmhires.dryrun.meta_device import maps_of, shapes_only
from mmhires.models.recording import read_maps

from .dsrl import preprocessing
from .host_config import LOGITS, AdaptError, Upstream, number, refusing
from .writing import Code


def changes(upstream: Upstream, scale: float, teacher_ckpt: str | None) -> Iterator[dict]:
    """Yield settings of a child config.

    The losses are those of the configs that were measured: with the sum over wide maps that the
    paper prints, training diverges at usual learning rates. Gradients are clipped, as features far
    from the teacher's would have it diverge, too. From the teacher's weights the student starts as
    the network fed small images, and training begins with the enlarged maps. A second form is
    without the teacher's logits, for heads that show none.

    Args:
        upstream: The config.
        scale: Full-size image : network input.
        teacher_ckpt: Weights of the config's model.

    Yields:
        Settings by name.

    Raises:
        AdaptError: The model has another frame, or its head reads no maps.
    """
    cfg = upstream.cfg.model
    upstream.expect('EncoderDecoder', 'HRFR is a child of that')
    model, maps = upstream.maps(scale)
    index = _maps_read(model, maps)
    widths = [maps[i].shape[1] for i in index]
    neck = dict(
        type='mmhires.SRRNeck',
        scale=scale,
        in_channels=number(widths),
        in_index=number(index),
        bottleneck=number([width // 4 for width in widths]),
        residual=True,
    )
    if cfg.get('neck') is not None:
        neck = [Code('_base_.model.neck'), neck]
    settings = _clipping(upstream.cfg)
    if teacher_ckpt is not None:
        settings['load_from'] = teacher_ckpt
    for logits in (dict(distill_losses=[LOGITS]), {}):
        yield dict(
            settings,
            model=dict(
                type='mmhires.HRFR',
                **(dict(pretrained=None) if cfg.get('pretrained') else {}),
                data_preprocessor=preprocessing(upstream, scale),
                neck=neck,
                loss_srr=dict(type='mmhires.FeatureL2Loss', reduction='relative'),
                **logits,
                teacher=upstream.whole_model,
                teacher_ckpt=teacher_ckpt,
            ),
        )


def _clipping(cfg: Config) -> dict:
    """Return settings that clip gradients, if the config does not."""
    wrapper = cfg.get('optim_wrapper') or {}
    if wrapper.get('clip_grad'):
        return {}
    anew = dict(_delete_=True) if 'clip_grad' in wrapper else {}
    return dict(optim_wrapper=dict(clip_grad=dict(anew, max_norm=10.0, norm_type=2)))


def _maps_read(model: nn.Module, maps: list) -> list[int]:
    """Find the maps that get a gradient from the prediction."""
    name = type(model.decode_head).__name__
    with refusing(f'{name} does not run at the reduced size: '):
        try:
            with shapes_only():
                read = read_maps(model, maps)
        except TypeError:  # wants data samples, to predict masks of all maps
            return list(maps_of(maps))
    index = sorted(read & maps_of(maps).keys())
    if not index:
        raise AdaptError(f'{name} reads no map that could be recovered')
    return index

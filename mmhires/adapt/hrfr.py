# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""HRFR round a segmentor, which becomes the teacher of itself."""
import torch
from torch import Tensor, nn

from mmhires.check import probe
from mmhires.utils.errors import first_line

from .dsrl import preprocessing, whole_test
from .upstream import AdaptError, Upstream, number


def changes(upstream: Upstream, scale: int, teacher_ckpt: str | None) -> str:
    """The part ``model`` of a child config.

    Args:
        upstream (Upstream): The config.
        scale (int): Full-size image : network input.
        teacher_ckpt (str, optional): Weights of the config's model.

    Returns:
        str: Python text.

    Raises:
        AdaptError: The model has another frame, or its head reads no maps.
    """
    cfg = upstream.cfg.model
    if cfg.type != 'EncoderDecoder':
        raise AdaptError(
            f'{cfg.type} is no EncoderDecoder, of which HRFR is a '
            'child')
    model, maps = upstream.maps(scale)
    index = _maps_read(model, maps)
    widths = [maps[i].shape[1] for i in index]
    stride = max(
        round(upstream.size[0] / scale / maps[i].shape[2]) for i in index)
    neck = (f"dict(\n        type='mmhires.SRRNeck', scale={scale},\n        "
            f'in_channels={number(widths)}, in_index={number(index)},\n'
            f'        bottleneck={number([width // 4 for width in widths])})')
    if cfg.get('neck') is not None:
        neck = f'[_base_.model.neck, {neck}]'
    preprocessor = preprocessing(upstream, scale, scale * stride)
    pretrained = '\n    pretrained=None,' if cfg.get('pretrained') else ''
    return f'''model = dict(
    type='mmhires.HRFR',{pretrained}
    data_preprocessor={preprocessor},
    neck={neck},
    teacher=_base_.model,
    teacher_ckpt={teacher_ckpt!r}{whole_test(cfg)})
'''


def _maps_read(model: nn.Module, maps: list) -> list[int]:
    """Those with a gradient from what the head predicts."""
    read = {
        i: x.detach().requires_grad_()
        for i, x in enumerate(maps) if isinstance(x, Tensor) and x.ndim == 4
    }
    name = type(model.decode_head).__name__
    if not read:
        raise AdaptError('the backbone returns no maps (N, C, H, W)')
    try:
        with probe.shapes_only(), torch.enable_grad():
            outputs = model.decode_head(
                [read.get(i, x) for i, x in enumerate(maps)])
            total = sum(x.sum() for x in _tensors(outputs))
            gradients = torch.autograd.grad(
                total, list(read.values()), allow_unused=True)
    except TypeError:  # wants data samples, to predict masks of all maps
        return list(read)
    except Exception as error:
        raise AdaptError(f'{name} does not run at the reduced size: '
                         f'{first_line(error)}') from error
    index = [i for i, grad in zip(read, gradients) if grad is not None]
    if not index:
        raise AdaptError(f'{name} reads no map that could be recovered')
    return index


def _tensors(value):
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, (list, tuple)):
        for one in value:
            yield from _tensors(one)

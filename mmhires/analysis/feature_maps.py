# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Pictures of a segmentor's features."""

import difflib
from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial

import numpy as np
import torch
from matplotlib.figure import Figure
from mmengine.visualization import Visualizer
from torch import Tensor, nn

from mmhires.tasks import SEGMENTATION

INPUT = ':in'


def default_layers(model: nn.Module) -> list[str]:
    """Return the layers that figures 3 and 5 of the DSRL paper compare.

    Args:
        model: A segmentor.

    Returns:
        The final segmentation features, which are what the classifier is given, and those of the
        SISR branch if there is one.
    """
    classifier = f'{SEGMENTATION.head}.{SEGMENTATION.last_layer}{INPUT}'
    return [classifier, f'{SEGMENTATION.head}.sisr_head'][: 1 + _has_sisr(model)]


@torch.no_grad()
def capture_features(
    model: nn.Module, image: np.ndarray, layers: Sequence[str]
) -> dict[str, Tensor]:
    """Run a segmentor and keep the outputs of some modules.

    The SISR branch of DSRL, which inference leaves out, runs too.

    Args:
        model: A segmentor as :func:`mmseg.apis.init_model` returns it.
        image: Full-size image, BGR, ``(H, W, 3)``.
        layers: Names of modules. Of several outputs the first is taken; a name that ends in
            ``':in'`` stands for the module's input.

    Returns:
        Maps ``(C, H, W)`` by the names given.

    Raises:
        ValueError: There is no such module, it does not run, or what it returns are not maps.
    """
    modules, seen = dict(model.named_modules()), {}

    def keep(layer: str, module: nn.Module, args: tuple, output) -> None:
        value = args[0] if layer.endswith(INPUT) else output
        seen[layer] = value[0] if isinstance(value, (tuple, list)) else value

    with ExitStack() as hooks:
        for layer in (*layers, 'data_preprocessor'):
            name = layer.removesuffix(INPUT)
            if not name or name not in modules:
                raise _no_module(name, modules)
            hooks.enter_context(modules[name].register_forward_hook(partial(keep, layer)))
        SEGMENTATION.predict(model, image)
        if _has_sisr(model):
            inputs = seen['data_preprocessor']['inputs']
            model.decode_head.super_resolve(model.extract_feat(inputs), inputs)
    for layer in layers:
        if layer not in seen:
            raise ValueError(f'module {layer!r} does not run in inference')
        maps = seen[layer]
        if getattr(maps, 'ndim', 0) != 4:
            got = tuple(maps.shape) if hasattr(maps, 'shape') else type(maps)
            raise ValueError(f'module {layer!r} gave {got}, not maps of shape (N, C, H, W)')
    return {layer: seen[layer][0] for layer in layers}


def draw_feature_maps(
    image: np.ndarray, features: Sequence[tuple[str, Tensor]], reduction: str = 'squeeze_mean'
) -> Figure:
    """Draw feature maps beside their image.

    Each map is enlarged to the image, and its own minimum and maximum are the ends of the colours,
    as of :meth:`mmengine.Visualizer.draw_featmap`.

    Args:
        image: BGR, ``(H, W, 3)``.
        features: Titles and maps ``(C, H, W)``.
        reduction: Of the channels: ``'squeeze_mean'``, or ``'select_max'`` for the channel with the
            largest sum. Default: ``'squeeze_mean'``.

    Returns:
        Figure: One row, the image first; ``savefig`` writes it.
    """
    height, width = image.shape[:2]
    panels = [('input', image[..., ::-1])]
    for title, maps in features:
        drawn = Visualizer.draw_featmap(maps.float(), None, reduction, resize_shape=(height, width))
        panels.append((title, drawn))
    figure = Figure(figsize=(4 * len(panels), 4 * height / width + 0.8), layout='constrained')
    for axes, (title, panel) in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels):
        axes.imshow(panel)
        axes.set_title(title, fontsize=8)
        axes.axis('off')
    return figure


def _has_sisr(model: nn.Module) -> bool:
    return getattr(model.decode_head, 'sisr_head', None) is not None


def _no_module(name: str, modules: dict[str, nn.Module]) -> ValueError:
    parent = name
    while parent not in modules:
        parent = parent.rpartition('.')[0]
    children = dict(modules[parent].named_children())
    close = difflib.get_close_matches(name, filter(None, modules), n=3)
    hint = f'; did you mean {" or ".join(close)}?' if close else ''
    return ValueError(
        f'there is no module {name!r}; {parent or "the model"} '
        f'has {", ".join(children) or "no modules"}{hint}'
    )

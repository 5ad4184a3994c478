# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Test images that a network on reduced images sees otherwise than crops."""
import math
from itertools import pairwise

from mmengine.dataset import pseudo_collate
from torch import nn

from mmhires.utils.input_channels import input_channels
from mmhires.utils.ratio import full_step

from . import probe
from .drawn import draw_batch
from .problem import Problems, attempt
from .samples import Samples


def check_padding(problems: Problems, cfg, model: nn.Module, meta: dict,
                  samples: Samples) -> None:
    """Compare the maps of a test image with those of training images.

    Where in training each map is a multiple of the next one and in testing
    not, what the decoder adds up is displaced. On CamVid (180x240) that costs
    two to three points of mIoU.

    Args:
        problems (Problems): A warning is added.
        cfg (Config): The whole config.
        model (nn.Module): Of the meta device.
        meta (dict): Meta information of the training data.
        samples: What the data sets give.
    """
    factor = getattr(model.data_preprocessor, 'factor', 1)
    first = next(samples.of('test', 'val'), None)
    if factor == 1 or cfg.default_scope != 'mmseg' or first is None:
        return
    # Of what does not run other checks tell.
    with attempt('maps of a test image'), probe.shapes_only():
        batch = draw_batch(cfg, meta, input_channels(model))
        seen, trained = _sides(model, batch, True)
        image, tested = _sides(model, pseudo_collate([first]), False)
        if _nested(trained) and not _nested(tested):
            stride = 2**round(math.log2(seen[0] / trained[-1][0]))
            divisor = full_step(factor, stride)
            problems.add(
                'size', 'model.data_preprocessor.test_cfg',
                f'a test image gets to the network as {_text(image)}, whose '
                f'maps are {", ".join(map(_text, tested))}; in training each '
                'is a multiple of the next one', 'add '
                f'size_divisor={divisor}, which is more accurate as a rule',
                True)


def _sides(model: nn.Module, batch: dict,
           training: bool) -> tuple[tuple, list[tuple]]:
    """Sides of the input, and of the maps that heads read, finest first."""
    inputs = model.data_preprocessor(batch, training)['inputs']
    maps = probe.maps_of(model.extract_feat(inputs))
    sides = {
        tuple(maps[i].shape[2:])
        for i in probe.read_maps(model, len(maps)) & maps.keys()
    }
    return tuple(inputs.shape[2:]), sorted(sides, reverse=True)


def _nested(sides: list[tuple]) -> bool:
    return all(finer[i] % coarser[i] == 0 for finer, coarser in pairwise(sides)
               for i in (0, 1))


def _text(sides: tuple) -> str:
    return 'x'.join(map(str, sides))

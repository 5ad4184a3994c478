# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Time and memory of training steps, measured in turns."""

from collections.abc import Sequence
from functools import partial

import torch
from mmengine.model import revert_sync_batchnorm
from mmengine.optim import OptimWrapper
from torch import nn

from mmhires.engine import BF16OptimWrapper
from mmhires.tasks import SEGMENTATION
from mmhires.utils.input_channels import input_channels
from mmhires.utils.ratio import as_ratio

from .latency import Latency, measure_in_turns


def random_batch(
    model: nn.Module, image_size: Sequence[int], batch_size: int = 2, device: str = 'cpu'
) -> dict:
    """Make noise in the form in which a data loader delivers a batch.

    Args:
        model: A segmentor, for the number of its classes.
        image_size: Height and width of the images.
        batch_size: Default: 2.
        device: Default: ``'cpu'``.

    Returns:
        ``inputs`` and ``data_samples``.

    Raises:
        ValueError: The model is not a segmentor.
    """
    if not SEGMENTATION.made(model):
        raise ValueError(
            f'only segmentors can be given random labels to train on, got a {type(model).__name__}'
        )
    size, classes = tuple(image_size), model.decode_head.num_classes
    labels = torch.randint(classes, (batch_size, *size), device=device)
    images = torch.randint(
        256, (batch_size, input_channels(model), *size), dtype=torch.uint8, device=device
    )
    return SEGMENTATION.batch(images, labels)


def in_training(model: nn.Module, image_size: Sequence[int]) -> nn.Module:
    """Prepare a segmentor for training on one device and image size.

    Args:
        model: A segmentor; it is changed.
        image_size: Height and width of the images, to which the data preprocessor pads, or to the
            next that it can reduce.

    Returns:
        The model.
    """
    model = revert_sync_batchnorm(model)
    model.train()
    step = as_ratio(getattr(model.data_preprocessor, 'scale', 1)).numerator
    model.data_preprocessor.size = tuple(-(-side // step) * step for side in image_size)
    model.data_preprocessor.size_divisor = None
    return model


def measure_training(
    models: dict[str, nn.Module],
    image_size: dict[str, Sequence[int]],
    batch_size: int = 2,
    device: str = 'cpu',
    bf16: bool = False,
    **turns,
) -> dict[str, Latency]:
    """Measure time and memory of training steps of several segmentors.

    A step is that of a runner: data preprocessor, losses, backward pass and an update by SGD with
    momentum, on noise. The learning rate is zero, so that all steps are alike. The data
    preprocessors are set to pad to nothing.

    Args:
        models: Segmentors by name.
        image_size: Height and width of the images, before a data preprocessor reduces them, by
            name.
        batch_size: Default: 2.
        device: Default: ``'cpu'``.
        bf16: With :class:`BF16OptimWrapper`. Default: False.
        **turns: ``repeats`` and ``warmup`` of :func:`measure_in_turns`.

    Returns:
        By the names of ``models``. The memory is that of activations and gradients, beside weights
        and optimizer.

    Raises:
        ValueError: ``repeats`` below 2, or a model that is not a segmentor.
    """
    steps = {}
    for name, model in models.items():
        model = in_training(model, image_size[name]).to(device)
        trained = [p for p in model.parameters() if p.requires_grad]
        wrapper = (BF16OptimWrapper if bf16 else OptimWrapper)(
            torch.optim.SGD(trained, lr=0.0, momentum=0.9)
        )
        batch = random_batch(model, image_size[name], batch_size, device)
        steps[name] = partial(model.train_step, batch, wrapper)
    return measure_in_turns(steps, device=device, **turns)

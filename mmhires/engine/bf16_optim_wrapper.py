# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Training in bfloat16 mixed precision, on CPUs too."""

from contextlib import contextmanager

import torch
from mmengine.optim import OptimWrapper
from mmengine.runner import autocast
from torch import nn

from mmhires.registry import OPTIM_WRAPPERS
from mmhires.utils.bf16_convolution import warn_of_narrow_maps


@OPTIM_WRAPPERS.register_module()
class BF16OptimWrapper(OptimWrapper):
    """Optimizer wrapper that runs model and losses under bfloat16 autocast.

    ``AmpOptimWrapper`` of MMEngine refuses to be built without a GPU. This one works on CPUs and on
    GPUs that support bfloat16. Parameters, gradients and the optimizer's state stay in float32.
    bfloat16 has the exponent range of float32, so that, unlike in float16, losses are not scaled.

    Validation and testing run in the precision of the model, float32, as they do with
    ``AmpOptimWrapper``. On a CPU whose bf16 convolutions are wrong on narrow maps
    (:mod:`mmhires.utils.bf16_convolution`) the first such map is warned of. MMPose's own heads
    need ``train_cfg=dict(compute_acc=False)``: they measure the accuracy of a batch by NumPy, which
    has no bfloat16.

    Args:
        **kwargs: Arguments of :class:`mmengine.optim.OptimWrapper`: ``optimizer``,
            ``accumulative_counts`` and ``clip_grad``.

    Examples:
        >>> optim_wrapper = dict(
        ...     type='mmhires.BF16OptimWrapper',
        ...     optimizer=dict(type='SGD', lr=0.01, momentum=0.9))
    """

    _model = None

    @contextmanager
    def optim_context(self, model: nn.Module):
        """Enter autocast on the device of the model.

        Args:
            model: The model that is trained.
        """
        device = next(model.parameters()).device.type
        if device == 'cpu' and model is not self._model:
            warn_of_narrow_maps(model)
            self._model = model
        with super().optim_context(model), autocast(device, torch.bfloat16):
            yield

# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""End of a training whose loss is not finite."""

import math

import torch
from mmengine.dist import all_reduce, get_world_size
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.optim import AmpOptimWrapper
from mmengine.runner import Runner
from torch import Tensor, nn

from mmhires.registry import HOOKS
from mmhires.utils.finite import require_finite


@HOOKS.register_module()
class FiniteLossHook(Hook):
    """Stops a training whose loss or weights are NaN or infinite.

    Without it a training goes on to its end, and saves weights that predict class 0 everywhere. The
    error names the loss, or the weights. Weights are looked at before training, validation and
    testing and before they are saved, so that the last checkpoint is a good one.

    The loss is looked at after every iteration, which costs nothing that is seen: MMEngine copies
    it from the device for its log anyway. Of several processes all stop.

    Args:
        patience: Iterations in a row that may have such a loss where a gradient scaler
            (``AmpOptimWrapper`` in float16) skips the step of each. Elsewhere the first one spoils
            the weights. Default: 10.

    Examples:
        >>> custom_hooks = [dict(type='mmhires.FiniteLossHook')]
    """

    # Before what averages, logs and saves weights.
    priority = 'ABOVE_NORMAL'

    def __init__(self, patience: int = 10) -> None:
        self.patience = patience
        self._bad = 0

    def before_train(self, runner: Runner) -> None:
        """Refuse weights that are not finite.

        Args:
            runner: The runner.

        Raises:
            ValueError: Weights are nan or infinite; it names them.
        """
        model = runner.model
        model = model.module if is_model_wrapper(model) else model
        # Where they are from, unless they have been trained since.
        path = runner._load_from
        origin = f' (load_from={path!r})' if path and not runner.iter else ''
        weights = dict([*model.named_parameters(), *model.named_buffers()])
        require_finite(weights, f'the model at iteration {runner.iter}{origin}')

    before_val = before_test = before_train

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Refuse to save weights that are not finite.

        Args:
            runner: The runner.
            checkpoint: What would be saved.

        Raises:
            ValueError: Weights are nan or infinite; it names them.
        """
        weights = checkpoint.get('state_dict', {})
        require_finite(weights, f'not saved at iteration {runner.iter + 1}')

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: dict | None = None,
        outputs: dict | None = None,
    ) -> None:
        """Check the losses of the iteration.

        Args:
            runner: The runner.
            batch_idx: Not used.
            data_batch: Not used.
            outputs: Losses by name.

        Raises:
            FloatingPointError: One is nan or infinite; it names it.
        """
        bad = _find_bad(outputs or {})
        if not _any_process(bool(bad), runner.model):
            self._bad = 0
            return
        self._bad += 1
        wrapper = runner.optim_wrapper
        skipped = isinstance(wrapper, AmpOptimWrapper) and wrapper.loss_scaler.is_enabled()
        if skipped and self._bad < self.patience:
            return
        said = ', '.join(f'{name} is {value}' for name, value in bad.items())
        message = (
            f'iteration {runner.iter + 1} of {runner.max_iters}: '
            f'{said or "a loss of another process is not finite"}. Training stops here, its '
            'weights are spoilt. Take a lower learning rate, a longer warm-up or '
            "optim_wrapper.clip_grad, and see that the loss's weight and reduction fit"
        )
        runner.logger.error(message)
        raise FloatingPointError(message)


def _find_bad(outputs: dict) -> dict[str, float]:
    """Return the losses that are not finite, or else their sum."""
    total = outputs.get('loss')
    if isinstance(total, Tensor) and math.isfinite(total.item()):
        return {}  # one look for all
    losses = {
        name: value.item() if isinstance(value, Tensor) else value
        for name, value in outputs.items()
        if 'loss' in name
    }
    bad = {name: x for name, x in losses.items() if not math.isfinite(x)}
    return {name: x for name, x in bad.items() if name != 'loss'} or bad


def _any_process(bad: bool, model: nn.Module) -> bool:
    """Return whether a loss of any process is not finite."""
    if get_world_size() == 1:
        return bad
    flag = torch.tensor(float(bad), device=next(model.parameters()).device)
    all_reduce(flag, 'max')
    return bool(flag)

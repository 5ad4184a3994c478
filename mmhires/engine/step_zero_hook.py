# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Fine-tuning compared with no training."""

import logging

from mmengine.hooks import EMAHook, Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner

from mmhires.registry import HOOKS

_START, _BEST = 'step_0', 'best_after_step_0'


@HOOKS.register_module()
class StepZeroHook(Hook):
    """Validates before the first step, and reports at the end if training helped.

    A network that is fed small images without any training is often hard to beat with few images.
    Its score is logged as that of step 0. The student is validated by the runner's own loop, so
    that a ``CheckpointHook`` with ``save_best`` keeps its start unless training beats it. Layers
    that the weights of the start lack and that are left out until then, such as :class:`SRRNeck`,
    are left out of that checkpoint, too.

    Args:
        metric: Name among what the validation returns.
        greater: Whether more is better. Default: True.
    """

    # After hooks that prepare to save and to average.
    priority = 'LOWEST'

    def __init__(self, metric: str, greater: bool = True) -> None:
        self.metric, self.greater = metric, greater

    def before_train(self, runner: Runner) -> None:
        """Validate, unless training is resumed.

        Args:
            runner: The runner of the training.

        Raises:
            KeyError: The validation has no such metric.
        """
        known = runner.message_hub.runtime_info
        if runner.iter > 0 or runner.val_loop is None or _START in known:
            return
        self._start_averages(runner)
        score = self._score(runner.val_loop.run())
        runner.message_hub.update_info(_START, score)
        runner.logger.info(f'Step 0, small images without training: {self.metric} {score:.4g}')

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Leave out of the weights what the start leaves out.

        Args:
            runner: The runner.
            checkpoint: What will be saved.
        """
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        for name, module in model.named_modules():
            if hasattr(module, 'leave_out_untrained'):
                module.leave_out_untrained(checkpoint['state_dict'], f'{name}.')

    def after_val_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """Remember the best validation after the first step.

        Args:
            runner: The runner.
            metrics: Results.
        """
        if runner.iter == 0 or not metrics:
            return
        score = self._score(metrics)
        known = runner.message_hub.runtime_info
        if _BEST not in known or self._better(score, known[_BEST][0]):
            runner.message_hub.update_info(_BEST, (score, runner.iter))

    def after_train(self, runner: Runner) -> None:
        """Report in one line whether anything beat step 0.

        Args:
            runner: The runner of the training.
        """
        known = runner.message_hub.runtime_info
        if _START not in known or _BEST not in known:
            return
        start, (best, step) = known[_START], known[_BEST]
        seen = f'best {self.metric} of training {best:.4g} (iteration {step}), step 0 {start:.4g}'
        if self._better(best, start):
            runner.logger.info(f'Training beat step 0: {seen}')
        else:
            runner.logger.log(
                logging.WARNING,
                f'Nothing beat step 0: {seen}. Small images without training are as good',
            )

    def _score(self, metrics: dict[str, float]) -> float:
        try:
            return float(metrics[self.metric])
        except KeyError as error:
            raise KeyError(
                f'StepZeroHook(metric={self.metric!r}): the validation returns {", ".join(metrics)}'
            ) from error

    def _better(self, score: float, than: float) -> bool:
        return score > than if self.greater else score < than

    @staticmethod
    def _start_averages(runner: Runner) -> None:
        """Start averages with the weights that training begins with.

        MMEngine copies the model before it is initialised.
        """
        for hook in runner.hooks:
            if isinstance(hook, EMAHook):
                hook.ema_model.module.load_state_dict(hook.src_model.state_dict())

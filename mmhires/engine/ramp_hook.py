# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Numbers of a model that change during training."""

from numbers import Real

from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner

from mmhires.registry import HOOKS


@HOOKS.register_module()
class RampHook(Hook):
    """Moves a number of the model linearly to a target value.

    For the weight of a loss that means nothing before a branch has learned something, or the share
    of a gradient:

    .. code:: python

        custom_hooks = [
            dict(
                type='mmhires.RampHook',
                attribute='decode_head.sisr_head.encoder_grad',
                begin=500, end=501),
            dict(
                type='mmhires.RampHook',
                attribute='decode_head.loss_fa.loss_weight',
                begin=500, end=1500)
        ]

    It follows from the iteration alone, so that a resumed training has it too.

    Args:
        attribute: Path of the number from the model.
        end: Iteration from which on it has its own value.
        begin: Iteration up to which it has ``start``. Default: 0.
        start: Its value at first. Default: 0.0.

    Raises:
        ValueError: ``begin`` is not before ``end``.
    """

    def __init__(self, attribute: str, end: int, begin: int = 0, start: float = 0.0) -> None:
        if not 0 <= begin < end:
            raise ValueError(f'RampHook: begin={begin} must be before end={end}')
        self.attribute = attribute
        self.begin, self.end = begin, end
        self.start = start
        self.value = None

    def before_train(self, runner: Runner) -> None:
        """Find the number and remember its value.

        Args:
            runner: The runner of the training.

        Raises:
            ValueError: The model has no such number.
        """
        model = runner.model
        model = model.module if is_model_wrapper(model) else model
        path, _, self.name = self.attribute.rpartition('.')
        try:
            self.owner = model.get_submodule(path)
            value = getattr(self.owner, self.name)
        except AttributeError as error:
            raise ValueError(f'RampHook(attribute={self.attribute!r}): {error}') from error
        if not isinstance(value, Real):
            raise ValueError(
                f'RampHook(attribute={self.attribute!r}) is a {type(value).__name__}, no number'
            )
        if self.value is None:
            self.value = value

    def before_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: dict | None = None
    ) -> None:
        """Set the number.

        Args:
            runner: The runner of the training.
            batch_idx: Unused.
            data_batch: Unused.
        """
        share = (runner.iter - self.begin) / (self.end - self.begin)
        share = min(max(share, 0.0), 1.0)
        setattr(self.owner, self.name, self.start + share * (self.value - self.start))

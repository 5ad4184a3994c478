# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Hooks and optimizer wrappers for configs."""

from .atomic_checkpoint_hook import AtomicCheckpointHook
from .bf16_optim_wrapper import BF16OptimWrapper
from .exact_resume_hook import ExactResumeHook
from .finite_loss_hook import FiniteLossHook
from .ramp_hook import RampHook
from .step_zero_hook import StepZeroHook

__all__ = [
    'AtomicCheckpointHook',
    'BF16OptimWrapper',
    'ExactResumeHook',
    'FiniteLossHook',
    'RampHook',
    'StepZeroHook',
]

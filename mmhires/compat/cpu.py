# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Distributed training on machines without an accelerator.

Under any launcher MMEngine 0.10.7 calls ``torch.cuda.set_device``, asks for NCCL and hands
``device_ids`` to the model wrapper; on a CPU the first and the last raise. No process group is made
here: that stays with MMEngine, at the moment and with the timeout that the config says.
"""

import functools
import logging
from unittest import mock

from mmengine.device import get_device
from mmengine.dist import utils as dist_utils
from mmengine.logging import print_log
from mmengine.model import MMDistributedDataParallel, revert_sync_batchnorm
from torch.nn import SyncBatchNorm


def _without_cuda(init):
    """Make one of MMEngine's launcher functions create its group on the CPU."""

    @functools.wraps(init)
    def wrapper(backend, *args, **kwargs):
        with mock.patch('torch.cuda.set_device'):
            init('gloo' if backend == 'nccl' else backend, *args, **kwargs)

    return wrapper


def _without_device_ids(init):
    """Make the model wrapper accept a model in main memory."""

    @functools.wraps(init)
    def wrapper(self, module, *args, **kwargs):
        kwargs['device_ids'] = None
        if any(isinstance(m, SyncBatchNorm) for m in module.modules()):
            print_log(
                'SyncBatchNorm works on GPUs only: on this CPU every process '
                'normalises by the statistics of its own batch.',
                logger='current',
                level=logging.WARNING,
            )
            module = revert_sync_batchnorm(module)
        init(self, module, *args, **kwargs)

    return wrapper


def install() -> tuple[bool, str]:
    """Replace the CUDA calls of a launch if MMEngine's device is the CPU.

    Returns:
        Whether anything was changed, and why.
    """
    if get_device() != 'cpu':
        return False, f'MMEngine uses the device "{get_device()}"'
    for launcher in ('pytorch', 'slurm', 'mpi'):
        name = f'_init_dist_{launcher}'
        setattr(dist_utils, name, _without_cuda(getattr(dist_utils, name)))
    MMDistributedDataParallel.__init__ = _without_device_ids(MMDistributedDataParallel.__init__)
    return True, 'no accelerator: launchers use gloo, SyncBN becomes BN'

# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Child registries of MMEngine's, scope ``mmhires``.

A config of any scope reaches them by prefix, ``type='mmhires.DSRLHead'``: the
prefix makes MMEngine import this module, and ``locations`` import the
components. Nothing is registered into MMSegmentation's or MMPose's own
registries, whose ``DDRNet``, ``JPU`` and ``BoundaryLoss`` stay theirs.
"""
from mmengine.registry import DATASETS as MMENGINE_DATASETS
from mmengine.registry import HOOKS as MMENGINE_HOOKS
from mmengine.registry import METRICS as MMENGINE_METRICS
from mmengine.registry import MODELS as MMENGINE_MODELS
from mmengine.registry import OPTIM_WRAPPERS as MMENGINE_OPTIM_WRAPPERS
from mmengine.registry import TRANSFORMS as MMENGINE_TRANSFORMS
from mmengine.registry import Registry

MODELS = Registry(
    'model',
    parent=MMENGINE_MODELS,
    scope='mmhires',
    locations=['mmhires.models'])
DATASETS = Registry(
    'dataset',
    parent=MMENGINE_DATASETS,
    scope='mmhires',
    locations=['mmhires.datasets'])
TRANSFORMS = Registry(
    'transform',
    parent=MMENGINE_TRANSFORMS,
    scope='mmhires',
    locations=['mmhires.datasets'])
METRICS = Registry(
    'metric',
    parent=MMENGINE_METRICS,
    scope='mmhires',
    locations=['mmhires.evaluation'])
HOOKS = Registry(
    'hook',
    parent=MMENGINE_HOOKS,
    scope='mmhires',
    locations=['mmhires.engine'])
OPTIM_WRAPPERS = Registry(
    'optimizer wrapper',
    parent=MMENGINE_OPTIM_WRAPPERS,
    scope='mmhires',
    locations=['mmhires.engine'])

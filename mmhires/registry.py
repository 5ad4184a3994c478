# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Child registries of MMEngine's, scope ``mmhires``.

A config of any scope reaches them by prefix, ``type='mmhires.DSRLHead'``: the prefix makes MMEngine
import this module, and ``locations`` import the components. Nothing is registered into
MMSegmentation's or MMPose's own registries, whose ``DDRNet``, ``JPU`` and ``BoundaryLoss`` stay
theirs.
"""

from mmengine import registry as mmengine_registry
from mmengine.registry import Registry


def _child(parent: Registry, package: str) -> Registry:
    return Registry(parent.name, parent=parent, scope='mmhires', locations=[f'mmhires.{package}'])


MODELS = _child(mmengine_registry.MODELS, 'models')
DATASETS = _child(mmengine_registry.DATASETS, 'datasets')
TRANSFORMS = _child(mmengine_registry.TRANSFORMS, 'datasets')
METRICS = _child(mmengine_registry.METRICS, 'evaluation')
HOOKS = _child(mmengine_registry.HOOKS, 'engine')
OPTIM_WRAPPERS = _child(mmengine_registry.OPTIM_WRAPPERS, 'engine')

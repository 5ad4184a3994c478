# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Export of models, and running what was exported.

Running an ``.onnx`` file on a CPU imports NumPy, OpenCV and the engine only: what needs PyTorch is
imported when it is used.
"""

from mmhires.utils.lazy import lazy_names

from .exporting import export
from .labelling import labels
from .predictor import Pipeline, Predictor
from .stripping import strip

__getattr__ = lazy_names(
    __name__, dict(Network='network', extract_student='student', fold_bn='fold')
)

__all__ = [
    'Network',
    'Pipeline',
    'Predictor',
    'export',
    'extract_student',
    'fold_bn',
    'labels',
    'strip',
]

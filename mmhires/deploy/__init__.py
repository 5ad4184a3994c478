# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Export of models, and running what was exported.

Running an ``.onnx`` file on a CPU imports NumPy, OpenCV and the engine only: what needs PyTorch is
imported when it is used.
"""

from mmhires.utils.lazy import lazy_names

__getattr__, __all__ = lazy_names(
    __name__,
    exporting='export',
    labelling='labels',
    predictor='Pipeline Predictor',
    stripping='strip',
    network='Network',
    student='extract_student',
    fold='fold_bn',
)

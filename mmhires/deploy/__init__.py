# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
from .export import export
from .fold import fold_bn
from .labels import labels
from .load import load_model
from .network import Network
from .predictor import Pipeline, Predictor
from .strip import strip
from .student import extract_student

__all__ = [
    'Network', 'Pipeline', 'Predictor', 'export', 'extract_student', 'fold_bn',
    'labels', 'load_model', 'strip'
]

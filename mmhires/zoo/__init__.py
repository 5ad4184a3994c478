# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Published weights by name, and loading of models."""

from .load import load_model
from .published import Published, list_models, load_published

__all__ = ['Published', 'list_models', 'load_model', 'load_published']

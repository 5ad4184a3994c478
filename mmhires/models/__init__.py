# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
from . import _pose  # noqa: F401
from .backbones import *  # noqa: F403
from .context import *  # noqa: F403
from .decode_heads import *  # noqa: F403
from .losses import *  # noqa: F403
from .low_res import LowResSegDataPreProcessor
from .necks import *  # noqa: F403
from .segmentors import *  # noqa: F403

__all__ = ['LowResSegDataPreProcessor']

# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Engines that run exported networks, one module each.

Each has one function, ``load(file, device, precision, threads)``, that gives the network as a
function, and the description in the file. Its library is imported when it is called. ``.onnx``
files on a CPU take and return NumPy arrays, all others tensors of PyTorch.
"""

import contextlib
import json
from collections.abc import Callable, Mapping

from mmhires.deploy.processor import Array

# Name of the description among the extra files of torch.export.
SPEC_FILE = 'mmhires.json'
# ``(N, 3, H, W)`` to the output of the network.
Network = Callable[[Array], Array]
# The network and its description.
Loaded = tuple[Network, dict]


def parse_fields(fields: Mapping[str, str]) -> dict:
    """Parse the metadata of a file, which are JSON texts."""
    spec = {}
    for key, text in fields.items():
        with contextlib.suppress(ValueError):  # of another tool
            spec[key] = json.loads(text)
    return spec

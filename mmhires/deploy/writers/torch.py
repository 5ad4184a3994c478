# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Files of torch.export of a network."""

import io
import json
from collections.abc import Sequence

import torch
from torch import nn
from torch.fx.experimental import _config

from ..engines import SPEC_FILE
from .exporter_output import quiet


def write(
    network: nn.Module,
    image: torch.Tensor,
    fields: dict[str, str],
    axes: Sequence[int],
    opset: int = 17,
) -> bytes:
    """Return a ``torch.export`` file of a network as bytes.

    Args:
        network: As of an ONNX file.
        image: As of an ONNX file; its values do not count.
        fields: Metadata.
        axes: As of an ONNX file, 2 and 3 only.
        opset: Unused.

    Returns:
        bytes: Content of the file.
    """
    buffer = io.BytesIO()
    shapes = dict.fromkeys(axes, torch.export.Dim.DYNAMIC)
    # Guards wherever a map of one pixel might be a special case would bind a
    # program to images above the size at which the smallest map has two
    # pixels. PyTorch before 2.7 knows no way without.
    known = hasattr(_config, 'backed_size_oblivious')
    with quiet(), _config.patch(dict(backed_size_oblivious=True) if known else {}):
        # The program keeps its example, which must not be a user's picture.
        program = torch.export.export(network, (torch.zeros_like(image),), dynamic_shapes=(shapes,))
        for node in program.graph.nodes:
            node.meta.pop('stack_trace', None)  # paths of this machine
        torch.export.save(program, buffer, extra_files={SPEC_FILE: json.dumps(fields)})
    return buffer.getvalue()

# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""ONNX and torch.export files of a network."""

import contextlib
import io
import json
import logging
import warnings
from collections.abc import Iterator, Sequence
from unittest import mock

import torch
from torch import nn
from torch.fx.experimental import _config

from mmhires.utils.extras import import_extra

from .engines import SPEC_FILE
from .pooling import PoolingAsMatmul

INPUT_AXES = {0: 'batch', 2: 'height', 3: 'width'}
OUTPUT_AXES = {0: 'batch', 2: 'out_height', 3: 'out_width'}


def to_onnx(
    network: nn.Module,
    image: torch.Tensor,
    fields: dict[str, str] = {},
    axes: Sequence[int] = (),
    opset: int = 17,
) -> bytes:
    """Return an ONNX file of a network as bytes.

    Args:
        network: Of one tensor, in eval mode.
        image: Input of the size, or a size, that it takes.
        fields: Metadata. Default: none.
        axes: Of the input, whose size may be another: 0 for batches, 2 and 3 for other images. The
            output's, which is declared under names of its own, may be too. Default: none.
        opset: As of :func:`export`. Default: 17.

    Returns:
        bytes: Content of the file.

    Raises:
        ImportError: The package onnx is not installed.
    """
    onnx = import_extra('onnx', 'deploy')
    buffer = io.BytesIO()
    names = {axis: INPUT_AXES[axis] for axis in axes}
    # Two numbers of one name would be declared equal.
    out_names = {axis: OUTPUT_AXES[axis] for axis in axes}
    with _quiet(), PoolingAsMatmul(2 in axes):
        # The tracing exporter: the newer one takes ten times as long.
        torch.onnx.export(
            network,
            (image,),
            buffer,
            dynamo=False,
            opset_version=opset,
            input_names=['image'],
            output_names=['out'],
            dynamic_axes=dict(image=names, out=out_names),
        )
        shape = network(image).shape
    proto = onnx.load_model_from_string(buffer.getvalue())
    # Some of what is fixed is not in the exporter's eyes.
    declared = proto.graph.output[0].type.tensor_type.shape
    declared.CopyFrom(
        onnx.helper.make_tensor_type_proto(
            1, [out_names.get(axis, n) for axis, n in enumerate(shape)]
        ).tensor_type.shape
    )
    onnx.helper.set_model_props(proto, fields)
    return proto.SerializeToString()


def to_torch(
    network: nn.Module, image: torch.Tensor, fields: dict[str, str], axes: Sequence[int]
) -> bytes:
    """Return a ``torch.export`` file of a network as bytes.

    Args:
        network: As of :func:`to_onnx`.
        image: As of :func:`to_onnx`; its values do not count.
        fields: Metadata.
        axes: As of :func:`to_onnx`, 2 and 3 only.

    Returns:
        bytes: Content of the file.
    """
    buffer = io.BytesIO()
    shapes = dict.fromkeys(axes, torch.export.Dim.DYNAMIC)
    # Guards wherever a map of one pixel might be a special case would bind a
    # program to images above the size at which the smallest map has two
    # pixels. PyTorch before 2.7 knows no way without.
    known = hasattr(_config, 'backed_size_oblivious')
    with _quiet(), _config.patch(dict(backed_size_oblivious=True) if known else {}):
        # The program keeps its example, which must not be a user's picture.
        program = torch.export.export(network, (torch.zeros_like(image),), dynamic_shapes=(shapes,))
        for node in program.graph.nodes:
            node.meta.pop('stack_trace', None)  # paths of this machine
        torch.export.save(program, buffer, extra_files={SPEC_FILE: json.dumps(fields)})
    return buffer.getvalue()


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Silence the exporter's output.

    Both print the graph, some thousand lines, before they raise an error.
    """
    before = logging.root.manager.disable
    logging.disable()
    try:
        with (
            warnings.catch_warnings(),
            torch.no_grad(),
            contextlib.redirect_stderr(io.StringIO()),
            mock.patch.object(torch._C, '_jit_onnx_log', create=True),
        ):
            warnings.simplefilter('ignore')
            yield
    finally:
        logging.disable(before)

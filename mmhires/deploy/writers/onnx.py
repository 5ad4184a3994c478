# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""ONNX files of a network."""

import io
from collections.abc import Sequence

import torch
from torch import nn

from mmhires.utils.extras import import_extra

from ..pooling import PoolingAsMatmul
from .exporter_output import quiet

INPUT_AXES = {0: 'batch', 2: 'height', 3: 'width'}
OUTPUT_AXES = {0: 'batch', 2: 'out_height', 3: 'out_width'}


def write(
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
    with quiet(), PoolingAsMatmul(2 in axes):
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
    sides = [out_names.get(axis, n) for axis, n in enumerate(shape)]
    declared.CopyFrom(onnx.helper.make_tensor_type_proto(1, sides).tensor_type.shape)
    onnx.helper.set_model_props(proto, fields)
    return proto.SerializeToString()

# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Formats of exported files, and the engines that run them.

Commands read the table for their help: it imports neither a writer nor an engine.
"""

from pathlib import Path
from typing import NamedTuple


class Format(NamedTuple):
    """A kind of exported file.

    Attributes:
        name: Of ``mmhires export --format``.
        writer: Module of this package with ``write(network, image, fields, axes, opset)``, which
            returns the content of a file.
        engines: Modules in ``engines/`` that run the file, the best first.
        precisions: That a file may compute in.
        batches: A file can take several images at once.
        tensors: Takes PyTorch's tensors on a CPU too, and keeps weights with their channels last,
            which is faster on most devices.
    """

    name: str
    writer: str
    engines: tuple[str, ...]
    precisions: tuple[str, ...] = ('fp32', 'fp16')
    batches: bool = False
    tensors: bool = False


# By suffix.
FORMATS = {
    '.onnx': Format('onnx', 'writers.onnx', ('openvino', 'onnxruntime'), batches=True),
    '.pt2': Format('torch', 'writers.torch', ('torch',), ('fp32', 'fp16', 'bf16'), tensors=True),
}
# Suffix of what an engine runs.
RUNTIMES = {engine: suffix for suffix, form in FORMATS.items() for engine in form.engines}


def check_format(out: Path, precision: str, batch: bool) -> Format:
    """Look up the format of a file to write.

    Args:
        out: The file.
        precision: As of :func:`export`.
        batch: As of :func:`export`.

    Raises:
        ValueError: There is no such format, or it cannot have what is asked of it.
    """
    suffix = out.suffix.lower()
    if suffix not in FORMATS:
        raise ValueError(f'{out}: the file to write must end in {" or ".join(FORMATS)}')
    form = FORMATS[suffix]
    able = [other for other in FORMATS if precision in FORMATS[other].precisions]
    if able and suffix not in able:
        raise ValueError(
            f'{precision} is for {" or ".join(able)}; {suffix} files take '
            f'{" and ".join(form.precisions)}'
        )
    if batch and not form.batches:
        able = [other for other in FORMATS if FORMATS[other].batches]
        raise ValueError(
            f'batches are for {" or ".join(able)}; a {suffix} file is bound to one image or to '
            'several'
        )
    return form

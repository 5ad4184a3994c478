# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Post-training int8 quantization."""

import inspect
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple

import numpy as np

from mmhires.utils.extras import import_extra
from mmhires.utils.files import open_whole, refuse_overwriting
from mmhires.utils.progress import track

from .predictor import Predictor
from .processor import is_floating
from .score import make_score

__all__ = ['Quantized', 'make_score', 'quantize']

# The others are cheap, and OpenVINO crashes on some of them.
OPERATORS = ('Conv', 'ConvTranspose', 'Gemm')
# Shares of the layers to keep in float, tried in turns.
SHARES = (0, 1 / 16, 1 / 8, 1 / 4, 1 / 2)


class Quantized(NamedTuple):
    """Scores of the float and the int8 file, and the layers kept in float."""

    before: float
    after: float
    kept: list[str]


def quantize(
    file: str | Path,
    out: str | Path,
    calibration: Sequence[str | Path],
    score: Callable[[Predictor], float],
    limit: float = 0.5,
) -> Quantized:
    """Quantize a float file by ONNX Runtime's static quantizer.

    Weights of convolutions are rounded per channel, their inputs per tensor and symmetrically, to
    ranges that calibration images show: the form (QDQ) that ONNX Runtime, OpenVINO and TensorRT
    read. Where the score falls by more than the limit, the layers that disturb the output most when
    they alone are rounded stay in float, a sixteenth of them or up to a half.

    Args:
        file: ``.onnx`` that :func:`export` wrote in fp32.
        out: ``.onnx`` file to write.
        calibration: Pictures like those to come, some tens of them.
        score: Of a :class:`Predictor`, in percent: mIoU, or agreement with the model.
        limit: By how much the score may fall. Default: 0.5.

    Returns:
        Quantized: What it was, what it is, and the layers kept in float.

    Raises:
        ImportError: ONNX Runtime or onnx is not installed.
        ValueError: No calibration images, or the score falls too much whatever is kept; nothing is
            written then.
    """
    onnx = import_extra('onnx', 'deploy')
    ort = import_extra('onnxruntime.quantization', 'deploy')
    if not calibration:
        raise ValueError('int8 needs pictures to calibrate on')
    refuse_overwriting([out], [file, *calibration])
    reference = Predictor(file, runtime='onnxruntime')
    jobs = map(reference.prepare, calibration)
    inputs = [dict(image=x) for job in jobs for x in job.tensors]
    before = score(reference)
    metadata = onnx.load(file).metadata_props
    fields = {entry.key: entry.value for entry in metadata}
    fields['precision'] = '"int8"'
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        clean, target = folder / 'clean.onnx', folder / 'int8.onnx'
        ort.shape_inference.quant_pre_process(str(file), str(clean), skip_symbolic_shape=True)
        nodes = onnx.load(clean).graph.node
        layers = [node.name for node in nodes if node.op_type in OPERATORS]
        options = dict(per_channel=True, op_types_to_quantize=list(OPERATORS))
        options['extra_options'] = dict(ActivationSymmetric=True)
        if 'calibration_cache_path' in inspect.signature(ort.quantize_static).parameters:
            options['calibration_cache_path'] = folder / 'ranges.json'

        def write(**chosen) -> Predictor:
            """Write the file with only these layers, or all but these, in int8."""
            reader = SimpleNamespace(get_next=partial(next, iter(inputs), None))
            ort.quantize_static(str(clean), str(target), reader, **options, **chosen)
            proto = onnx.load(target)
            onnx.helper.set_model_props(proto, fields)
            onnx.save(proto, target)
            return Predictor(target, runtime='onnxruntime')

        order, tries = [], {}
        for share in SHARES:
            if share and not order:
                order = _by_disturbance(layers, write, reference, calibration[0])
            kept = order[: round(share * len(layers))]
            after = score(write(nodes_to_exclude=kept))
            tries[after] = kept
            if after >= before - limit:
                with open_whole(out, 'wb') as stream:
                    stream.write(target.read_bytes())
                return Quantized(before, after, kept)
    best = max(tries)
    raise ValueError(
        f'not written: in int8 the score falls from {before:.2f} to {best:.2f} even with '
        f'{len(tries[best])} of {len(layers)} layers in float: {", ".join(tries[best])}'
    )


def _by_disturbance(
    layers: list[str], write: Callable, reference: Predictor, image: str | Path
) -> list[str]:
    """Order the layers by how much int8 changes the output, largest first."""
    job = reference.prepare(image)
    want = reference.run([job])[0].tensors[0]

    def disturbance(layer: str) -> float:
        got = write(nodes_to_quantize=[layer]).run([job])[0].tensors[0]
        if not is_floating(want):  # labels
            return float((got != want).mean())
        return float(np.square(got - want).mean())

    found = {layer: disturbance(layer) for layer in track(layers)}
    return sorted(layers, key=found.get, reverse=True)

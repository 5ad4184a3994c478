# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Write a model to a file that runs without its config and checkpoint."""
import contextlib
import io
import json
import tempfile
import warnings
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import nn

from mmhires.utils.files import open_whole
from mmhires.version import __version__

from .network import Network
from .predictor import Pipeline, Predictor
from .runtimes import SPEC_FILE, first_line

# Share of pixels, or of keypoints, that must agree with the original model.
AGREEMENT = dict(fp32=0.999, fp16=0.99, bf16=0.99)
# Keypoints agree up to this part of the longer side of the image.
KEYPOINT_TOLERANCE = 1e-3


class Agreement(NamedTuple):
    """Share of pixels or keypoints of an image that are as in the original."""
    image: str
    share: float


def export(model: nn.Module,
           out: str | Path,
           images: Sequence[str | Path],
           precision: str = 'fp32',
           dynamic: bool = False,
           opset: int = 17,
           track: Callable[[Sequence], Iterable] = iter) -> list[Agreement]:
    """Write a model to an ONNX or a ``torch.export`` file.

    The file holds the network in its inference form (no training-only parts,
    batch norm folded), from what the data preprocessor makes of an image to
    the logits or heatmaps of the head, and as metadata all that lies before
    and after: mean, std, channel order, padding, reduction, classes, palette,
    codec. :class:`Predictor` runs it. It is written when it predicts what the
    original model does on every image, or not at all.

    Args:
        model (nn.Module): A segmentor or top-down pose estimator with ``cfg``
            and ``dataset_meta``, as :func:`load_model` returns it.
        out (str | Path): ``.onnx``, or ``.pt2`` for ``torch.export``.
        images (Sequence[str | Path]): Picture files to compare on, at least
            one. The first decides the size of the network's input.
        precision (str): ``'fp32'``, ``'fp16'`` or ``'bf16'`` (the latter for
            ``.pt2`` only). Default: ``'fp32'``.
        dynamic (bool): Take images of other sizes too. Default: False.
        opset (int): Of ONNX. Default: 17.
        track (Callable): Wraps the sequence of images that is gone through,
            for a progress bar. Default: none.

    Returns:
        list[Agreement]: For each image.

    Raises:
        ImportError: What writes or runs the file is not installed.
        ValueError: An argument out of range, a model that cannot be exported,
            or predictions that differ.
    """
    out = Path(out)
    if out.suffix not in ('.onnx', '.pt2'):
        raise ValueError(f'{out}: the file to write must end in .onnx or .pt2')
    if out.suffix == '.onnx' and precision == 'bf16':
        raise ValueError('bf16 is for .pt2; ONNX runtimes take fp32 and fp16')
    if not out.parent.is_dir():
        raise FileNotFoundError(f'there is no directory {out.parent}')
    if not images:
        raise ValueError('export compares with the original model on images: '
                         'give at least one')
    model.eval()
    network = Network(
        model, precision, channels_last=out.suffix == '.pt2').cpu()
    spec = _describe(model)
    # The size of the first image goes through the same preparation.
    seen = []
    probe = Pipeline(dict(spec, input_shape=[1, 3, None, None]),
                     lambda x: seen.append(x) or network(x))
    probe(images[0])
    image = seen[0].clone()
    size = [None, None] if dynamic else list(image.shape[2:])
    fields = {
        key: json.dumps(value)
        for key, value in dict(
            spec, input_shape=[1, 3, *size], precision=precision,
            mmhires=__version__).items()
    }
    try:
        content = to_onnx(network, image, fields, dynamic, opset) \
            if out.suffix == '.onnx' else \
            _to_torch(network, image, fields, dynamic)
    except ImportError:
        raise
    except Exception as error:  # of any layer, from either exporter
        raise ValueError(f'{type(model).__name__} cannot be exported to '
                         f'{out.suffix}: {first_line(error)}') from error
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / f'model{out.suffix}'
        file.write_bytes(content)
        predictor = Predictor(file)
        predictor.name = str(out)
        results = [
            Agreement(str(path), _compare(model, predictor, path))
            for path in track(images)
        ]
    worst = min(results, key=lambda result: result.share)
    if not worst.share >= AGREEMENT[precision]:
        what = 'pixels' if spec['task'] == 'segmentation' else 'keypoints'
        raise ValueError(
            f'not written: on {worst.image} only {worst.share:.3%} of the '
            f'{what} are as before the export, {AGREEMENT[precision]:.1%} '
            'were asked for')
    with open_whole(out, 'wb') as file:
        file.write(content)
    return results


def _describe(model: nn.Module) -> dict:
    if hasattr(model, 'decode_head'):
        from .segmentation import SegmentationTask as Task
    else:
        from .pose import PoseTask as Task
    return dict(Task.describe(model), task=Task.name)


def to_onnx(network: nn.Module,
            image: torch.Tensor,
            fields: dict[str, str] = {},
            dynamic: bool = False,
            opset: int = 17) -> bytes:
    """An ONNX file of a network, in memory.

    Args:
        network (nn.Module): Of one tensor, in eval mode.
        image (Tensor): Input of the size, or a size, that it takes.
        fields (dict[str, str]): Metadata. Default: none.
        dynamic (bool): As of :func:`export`. Default: False.
        opset (int): As of :func:`export`. Default: 17.

    Returns:
        bytes: Content of the file.

    Raises:
        ImportError: The package onnx is not installed.
    """
    try:
        import onnx
    except ImportError as error:
        raise ImportError('ONNX files need onnx, which is not installed: pip '
                          'install "mmhires[deploy]"') from error
    buffer = io.BytesIO()
    sides = {2: 'height', 3: 'width'}
    with _quiet():
        # The tracing exporter: the newer one takes ten times as long.
        torch.onnx.export(
            network, (image, ),
            buffer,
            dynamo=False,
            opset_version=opset,
            input_names=['image'],
            output_names=['out'],
            dynamic_axes=dict(image=sides, out=sides) if dynamic else None)
    proto = onnx.load_model_from_string(buffer.getvalue())
    onnx.helper.set_model_props(proto, fields)
    return proto.SerializeToString()


def _to_torch(network: nn.Module, image: torch.Tensor, fields: dict,
              dynamic: bool) -> bytes:
    buffer = io.BytesIO()
    sides = dict.fromkeys((2, 3), torch.export.Dim.DYNAMIC)
    with _quiet():
        program = torch.export.export(
            network, (image, ), dynamic_shapes=(sides, ) if dynamic else None)
        torch.export.save(
            program, buffer, extra_files={SPEC_FILE: json.dumps(fields)})
    return buffer.getvalue()


@contextlib.contextmanager
def _quiet():
    """Without what exporters say of other people's code."""
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter('ignore')
        yield


def _compare(model: nn.Module, predictor: Predictor, path) -> float:
    """Share of the original model's prediction that a file gives too."""
    if predictor.task.name == 'segmentation':
        from mmseg.apis import inference_model
        want = inference_model(model, str(path)).pred_sem_seg.data[0]
        return float((predictor(path) == want.cpu().numpy()).mean())
    from mmpose.apis import inference_topdown
    sample = inference_topdown(model, str(path))[0]
    off = np.abs(predictor(path).keypoints - sample.pred_instances.keypoints)
    limit = KEYPOINT_TOLERANCE * sample.input_scale.max()
    return float((off.max(-1) <= limit).mean())

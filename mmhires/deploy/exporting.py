# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Export of a model to a file that runs without config and checkpoint."""

import json
import math
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import cv2

from mmhires.tasks import task_of
from mmhires.tasks.task import Task
from mmhires.utils.errors import first_line
from mmhires.utils.files import open_whole, refuse_overwriting
from mmhires.utils.images import read_image, write_image
from mmhires.utils.progress import track
from mmhires.version import __version__

from .formats import FORMATS, check_format
from .labelling import plain_labels
from .original import agreement, original_prediction
from .predictor import Pipeline, Predictor
from .processor import processor_class

# Running a file, which this package does too, needs no PyTorch.
if TYPE_CHECKING:
    from torch import nn

# Share of pixels, or of keypoints, that must agree with the original model.
AGREEMENT = dict(fp32=0.999, fp16=0.99, bf16=0.99)


class Agreement(NamedTuple):
    """Share of pixels or keypoints of an image that equal the original's.

    ``uncertain`` keypoints, of which the original model has several places that are as good, are
    left out.
    """

    image: str
    share: float
    uncertain: int = 0


def export(
    model: 'nn.Module',
    out: str | Path,
    images: Sequence[str | Path],
    precision: str = 'fp32',
    dynamic: bool = False,
    opset: int = 17,
    batch: bool = False,
    labels: bool = False,
) -> list[Agreement]:
    """Write a model to an ONNX or a ``torch.export`` file.

    The file holds the network in its inference form (no training-only parts, batch norm folded),
    from what the data preprocessor makes of an image to the logits or heatmaps of the head, and as
    metadata all that lies before and after: mean, std, channel order, padding, reduction, classes,
    palette, codec. :class:`Predictor` runs it. It is written when it predicts what the original
    model does on every image, or not at all.

    Args:
        model: A segmentor or top-down pose estimator with ``cfg`` and ``dataset_meta``, as
            :func:`load_model` returns it.
        out: ``.onnx``, or ``.pt2`` for ``torch.export``.
        images: Picture files to compare on, at least one. The first decides the size of the
            network's input.
        precision: ``'fp32'``, ``'fp16'`` or ``'bf16'`` (the latter for ``.pt2`` only). Default:
            ``'fp32'``.
        dynamic: Take images of other sizes too. Default: False.
        opset: Of ONNX. Default: 17.
        batch: Take several images at once; for ``.onnx``. Default: False.
        labels: Resize to the image and argmax are part of the file, whose output is ``(N, H, W)``,
            uint8. Default: False.

    Returns:
        For each image, and each other size of the first one if ``dynamic``.

    Raises:
        ImportError: What writes or runs the file is not installed.
        ValueError: An argument out of range, a model that cannot be exported or has nan or infinite
            weights, or predictions that differ, of other sizes too if ``dynamic``.
    """
    from mmhires.utils.bf16_convolution import warn_of_narrow_maps

    from .network import Network

    out = Path(out)
    suffix = out.suffix.lower()
    form = check_format(out, precision, batch)
    _check_inputs(model, out, images)
    task = task_of(model)
    _check_options(task, dynamic, labels)
    spec = processor_class(task.name).describe(model.eval())
    spec.update(precision=precision, mmhires=__version__)
    # Channels last binds a dynamic program to sizes at which maps that have a
    # single pixel, or more, have so again.
    network = Network(model, precision, form.tensors and not dynamic).cpu()
    # The size of the first image goes through the same preparation.
    before = Pipeline(dict(spec, input_shape=[1, 3, None, None]), network)
    first = before.prepare(images[0])
    image = first.tensors[0]
    if precision == 'bf16':
        warn_of_narrow_maps(network, image)
    axes = (0,) * batch + (2, 3) * dynamic
    spec['input_shape'] = [None if i in axes else n for i, n in enumerate(image.shape)]
    if labels:
        network.finish = partial(plain_labels, **first.metas[0])
        spec['image_shape'] = read_image(images[0], **before.decoding).shape[:2]
    remedy = f'try {" or ".join(other for other in FORMATS if other != suffix)}'
    if dynamic:
        remedy = f'write a file for each size, without dynamic, or {remedy}'
    elif batch:
        remedy = f'write it without batch, or {remedy}'
    fields = {key: json.dumps(value) for key, value in spec.items()}
    name = type(model).__name__
    content = _write(suffix, name, remedy, network, image, fields, axes, opset)
    remedy = f'; {remedy}' if dynamic or batch else ''
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / f'model{suffix}'
        file.write_bytes(content)
        predictor = Predictor(file)
        predictor.name = str(out)
        pictures = [(str(path), str(path)) for path in images]
        if dynamic:
            pictures += _other_sizes(images[0], before.decoding, folder)
        results = list(_compare(model, predictor, track(pictures), batch, remedy, precision))
    _check_agreement(results, task.units, precision, remedy)
    with open_whole(out, 'wb') as stream:
        stream.write(content)
    return results


def _write(suffix: str, name: str, remedy: str, *network) -> bytes:
    """Return the content of a file, or raise an error that names the model."""
    write = import_module(f'.{FORMATS[suffix].writer}', __package__).write
    try:
        return write(*network)
    except ImportError:
        raise
    except Exception as error:  # of any layer, from any exporter
        raise ValueError(
            f'{name} cannot be exported to {suffix}: {first_line(error)}; {remedy}'
        ) from error


def _check_inputs(model: 'nn.Module', out: Path, images: Sequence[str | Path]) -> None:
    """Raise an error if a file, a picture or the model cannot be used."""
    from mmhires.utils.finite import require_finite
    from mmhires.utils.input_channels import input_channels

    if not out.parent.is_dir():
        raise FileNotFoundError(f'there is no directory {out.parent}')
    if not images:
        raise ValueError('export compares with the original model on images: give at least one')
    refuse_overwriting([out], images)
    require_finite(dict([*model.named_parameters(), *model.named_buffers()]), type(model).__name__)
    if (channels := input_channels(model)) != 3:
        raise ValueError(
            f'exported files read pictures of three channels, the model takes '
            f'images of {channels}: run it by its config and checkpoint'
        )
    for path in images:
        read_image(path)  # names a damaged one before the work begins


def _check_options(task: Task, dynamic: bool, labels: bool) -> None:
    """Raise an error for options that models of a task do not have."""
    if dynamic and task.crops:
        raise ValueError(
            'a pose network takes crops of one size, whatever '
            'that of the image: export it without dynamic'
        )
    if labels and (dynamic or task.crops):
        raise ValueError(
            'labels inside the file are those of a segmentor, '
            'for images of one size: export without them'
        )


def _compare(
    model: 'nn.Module',
    predictor: Predictor,
    pictures: Iterable,
    batch: bool,
    remedy: str,
    precision: str,
) -> Iterator[Agreement]:
    """Compare a file with the model, skipping sizes that the model refuses."""
    for name, path in pictures:
        try:
            want = original_prediction(model, path)
        except Exception:  # of upstream's networks, whatever they raise
            if path == name:
                raise
            continue
        try:
            found = predictor([path] * (1 + batch))[-1]
        except ValueError as error:
            cause = str(error).replace(path, name)
            raise ValueError(f'not written: {cause}{remedy}') from error
        share, uncertain = agreement(want, found, precision)
        yield Agreement(name, share, uncertain)


def _check_agreement(results: list[Agreement], units: str, precision: str, remedy: str) -> None:
    """Raise an error if the file predicts something else."""
    for result in results:
        if math.isnan(result.share):
            raise ValueError(
                f'not written: on {result.image} the heatmaps of all {result.uncertain} keypoints '
                'have several peaks of one height, so that there is nothing to compare: train the '
                'model longer, or give a picture of a person'
            )
    worst = min(results, key=lambda result: result.share)
    if not worst.share >= AGREEMENT[precision]:
        raise ValueError(
            f'not written: on {worst.image} only {worst.share:.3%} of the {units} are as before '
            f'the export, {AGREEMENT[precision]:.1%} were asked for{remedy}'
        )


def _other_sizes(path: str | Path, decoding: dict, folder: str) -> Iterator[tuple[str, str]]:
    """Yield names and files of a smaller, larger, odd and narrow picture."""
    picture = read_image(path, **decoding)
    height, width = picture.shape[:2]
    sizes = (
        (height // 2, width // 2),
        (height * 5 // 4, width * 5 // 4),
        (height * 3 // 4 | 1, width * 3 // 4 | 1),
        (height, width // 2),
    )
    for h, w in sizes:
        file = f'{folder}/{h}x{w}.png'
        write_image(cv2.resize(picture, (w, h)), file)
        yield f'{path} at {h}x{w}', file

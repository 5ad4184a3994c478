# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Predictions painted over pictures and videos."""

import sys
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mmhires.tasks import task_of
from mmhires.utils.boxes import BoxFile
from mmhires.utils.errors import first_line
from mmhires.utils.files import refuse_overwriting
from mmhires.utils.images import read_image, write_image
from mmhires.utils.inputs import Input, name_outputs
from mmhires.utils.progress import track
from mmhires.utils.video_reading import Frame, read_video, stop_on_interrupt
from mmhires.utils.video_writing import write_video

# predict.py, which runs without MMSegmentation, takes its words from here.
if TYPE_CHECKING:
    from mmengine.model import BaseModel


def make_painter(
    model: 'BaseModel', opacity: float | None = None, with_labels: bool = False
) -> Callable[..., np.ndarray]:
    """Return a function that paints a model's prediction over an image.

    Args:
        model: A segmentor or a top-down pose estimator, from :func:`load_model`.
        opacity: Of the colours, in (0, 1]. Default: 0.5 of a segmentor, 1 of a pose estimator, as
            MMPose's inferencer has it.
        with_labels: Write the class names too, which takes seconds on large images.

    Returns:
        From an image, BGR ``(H, W, 3)``, uint8, and of a pose estimator boxes of the persons, ``(N,
        4)``, to the painted image. It is as large as the prediction, so larger than the image where
        the model enlarges (``low_res_input``).

    Raises:
        ValueError: ``opacity`` is outside (0, 1], or the model is neither.
    """
    if opacity is not None and not 0 < opacity <= 1:
        raise ValueError(f'opacity must be in (0, 1], got {opacity}')
    return task_of(model).painter(model, opacity, with_labels)


def overlay(
    paint: Callable[..., np.ndarray],
    inputs: Sequence[Input],
    out_dir: str | Path,
    boxes: BoxFile | None = None,
) -> list[str]:
    """Paint pictures and videos, with a progress bar.

    An input that cannot be read, painted or written does not keep the others from being painted.

    Args:
        paint: From :func:`make_painter`.
        inputs: From :func:`list_inputs`.
        out_dir: Where the painted files go, in the directories and under the names that they have
            (a video as ``.mp4``).
        boxes: Of the persons, for a pose estimator.

    Returns:
        What went wrong, a line for each fault of an input.

    Raises:
        OSError: ``out_dir`` cannot be made.
        ValueError: An input would be overwritten.
    """
    names, shared = name_outputs([i for i in inputs if i.is_video])
    videos = iter(names)
    outputs = [Path(out_dir, f'{next(videos)}.mp4' if i.is_video else i.name) for i in inputs]
    refuse_overwriting(outputs, [i.source for i in inputs] + ([boxes.file] if boxes else []))
    Path(out_dir).mkdir(parents=True, exist_ok=True)
    say_shared(shared)
    problems = []
    pairs = zip(inputs, outputs, strict=True)
    is_video = len(inputs) == 1 and inputs[0].is_video  # has a bar of its own
    for given, out in track(pairs, 0 if is_video else len(inputs)):
        try:
            out.parent.mkdir(parents=True, exist_ok=True)
            chosen = boxes.of(given.name) if boxes else None
            if given.is_video:
                problems += _paint_video(partial(paint, boxes=chosen), given, out)
            else:
                write_image(paint(read_image(given.source), chosen), out)
        except Exception as error:  # of upstream's networks: any kind
            problems.append(name_problem(given.source, error))
    return problems


def _paint_video(paint: Callable[[np.ndarray], np.ndarray], given: Input, out: Path) -> list[str]:
    """Paint a video; return its problems."""
    video = read_video(given.source)
    painted = (Frame(paint(frame.image), frame.time) for frame in video)
    with stop_on_interrupt(video):
        count, notes = write_video(track(painted, video.total), out, video)
    say(notes)
    if not count:
        raise ValueError('no frame of it can be decoded')
    return list(video.problems())


def say_shared(names: Sequence[str]) -> None:
    """Report on stderr which inputs would share an output name."""
    if names:
        more = f' and {len(names) - 4} more' * (len(names) > 4)
        say(
            [f'{", ".join(names[:4])}{more} differ in their suffixes only: their outputs keep them']
        )


def say(lines: Iterable[str]) -> None:
    """Write lines that are not errors to stderr."""
    sys.stderr.writelines(f'{line}\n' for line in lines)


def name_problem(source: Path | str | int, error: Exception) -> str:
    """Return one line of an error, with the input's name."""
    reason = first_line(error)
    return reason if str(source) in reason else f'{source}: {reason}'

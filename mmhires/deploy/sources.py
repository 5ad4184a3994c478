# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Image sources of a stream of predictions."""

import copy
from collections.abc import Iterable, Iterator, Sized
from pathlib import Path

from mmhires.utils.inputs import list_inputs
from mmhires.utils.video_reading import read_video

_END = object()


def open_source(place: str | Path | int) -> Iterator:
    """Open a source that :func:`list_inputs` accepts.

    Args:
        place: A file, a directory, a pattern, an address or a camera.

    Yields:
        Files, frames, and an OSError for what a video lacks.

    Raises:
        OSError: There is nothing.
        ValueError: It is not a picture or a video.
    """
    inputs = list_inputs(place)

    def images() -> Iterator:
        for found in inputs:
            if not found.is_video:
                yield found.source
                continue
            try:
                video = read_video(found.source)
            except (OSError, ValueError) as error:
                if len(inputs) == 1:
                    raise
                yield error
                continue
            for frame in video:
                yield frame.image
            yield from map(OSError, video.problems())

    return images()


def own_images(images: Iterable) -> Iterator:
    """Yield copies of images, so that nobody else writes into them."""
    for image in images:
        if not isinstance(image, (str, Path)):
            image = copy.deepcopy(image)
        yield image


def join_boxes(images: Iterable, boxes: Iterable | None) -> Iterator[tuple]:
    """Pair each image with itself and its boxes, or with an error.

    Args:
        images: Images and errors.
        boxes: Of each image. Default: None of each.

    Yields:
        An image and what :meth:`Pipeline.prepare` takes, or None and an error.

    Raises:
        ValueError: There are more or less boxes than images.
    """
    count, rest = 0, None if boxes is None else iter(boxes)
    for image in images:
        if isinstance(image, Exception):
            yield None, image
            continue
        given = None if rest is None else next(rest, _END)
        if given is _END:
            raise _uneven(f'more than {count}', count)
        count += 1
        yield image, (image, copy.deepcopy(given))
    if rest is not None and next(rest, _END) is not _END:
        raise _uneven(count, f'more than {count}')


def check_counts(images: Iterable, boxes: Iterable | None) -> None:
    """Raise a ValueError if images and boxes differ in number."""
    if isinstance(images, Sized) and isinstance(boxes, Sized) and len(images) != len(boxes):
        raise _uneven(len(images), len(boxes))


def _uneven(images: int | str, boxes: int | str) -> ValueError:
    """Return the error that names both counts."""
    return ValueError(f'{images} images, but {boxes} lists of boxes: give one for each image')

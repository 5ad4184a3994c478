# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Predictions of an exported file, written to files."""

import json
from collections import deque
from collections.abc import Iterator, Sequence
from itertools import repeat, takewhile
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from mmhires.deploy import Predictor
from mmhires.deploy.painting import paint_keypoints, paint_labels
from mmhires.deploy.pose import Keypoints
from mmhires.utils.boxes import BoxFile
from mmhires.utils.files import open_whole
from mmhires.utils.images import read_image, write_image
from mmhires.utils.inputs import Input
from mmhires.utils.progress import track
from mmhires.utils.video_reading import Frame, read_video, stop_on_interrupt
from mmhires.utils.video_writing import write_video

from .overlay import name_problem, say

# What may be wrong with an input.
FAULTS = (OSError, ValueError, MemoryError, cv2.error)


def outputs(predictor: Predictor, inputs: Sequence[Input], stems: Sequence[Path]) -> Iterator[str]:
    """Return the names of all files that will be written."""
    for given, stem in zip(inputs, stems, strict=True):
        yield f'{stem}.mp4' if given.is_video else f'{stem}.png'
        if predictor.takes_boxes:
            yield f'{stem}.json'


def predict_pictures(
    predictor: Predictor, items: Sequence[tuple[Input, Path]], boxes: BoxFile | None
) -> list[str]:
    """Write the results of each picture; return the problems."""
    problems, known = [], {}
    for item in items:
        try:
            known[item] = boxes and boxes.of(item[0].name)
        except ValueError as error:
            problems.append(str(error))
    results = predictor.stream([given.source for given, _ in known], boxes=boxes and known.values())
    for (given, stem), (_, result) in zip(known, track(results, len(known)), strict=True):
        try:
            if isinstance(result, Exception):
                raise result
            stem.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(result, np.ndarray):
                write_labels(result, predictor.palette, f'{stem}.png')
            else:
                image = read_image(given.source, **predictor.decoding)
                painted = paint_keypoints(image, *result, predictor.processor.spec)
                write_image(painted, f'{stem}.png')
                write_json(as_lists(result), f'{stem}.json')
        except FAULTS as error:
            problems.append(name_problem(given.source, error))
    return problems


def predict_video(
    predictor: Predictor, given: Input, stem: Path, boxes: BoxFile | None
) -> tuple[int, int, list[str]]:
    """Write the results of a video; return frame counts and problems."""
    keypoints, count, problems = [], 0, []
    try:
        video = read_video(given.source)
    except FAULTS as error:
        return 0, 0, [name_problem(given.source, error)]
    times = deque()

    def images() -> Iterator[np.ndarray]:
        for frame in video:
            times.append(frame.time)
            yield frame.image
        times.append(None)

    def painted(persons: list | None) -> Iterator[Frame]:
        # The same ones for every frame, until there are no more.
        every = takewhile(lambda _: None not in times, repeat(persons))
        results = predictor.stream(images(), boxes=every)
        for image, result in track(results, video.total):
            if isinstance(result, Exception):
                raise result
            if isinstance(result, np.ndarray):
                image = paint_labels(image, result, predictor.palette)
            else:
                keypoints.append(as_lists(result))
                image = paint_keypoints(image, *result, predictor.processor.spec)
            yield Frame(image, times.popleft())

    try:
        stem.parent.mkdir(parents=True, exist_ok=True)
        persons = boxes and boxes.of(given.name)
        with stop_on_interrupt(video):
            count, notes = write_video(painted(persons), Path(f'{stem}.mp4'), video)
        say(notes)
        if not count:
            raise ValueError('no frame of it can be decoded')
        if predictor.takes_boxes:
            write_json(keypoints, f'{stem}.json')
        problems += video.problems()
    except FAULTS as error:
        problems.append(name_problem(given.source, error))
    return count, max(video.total, video.count), problems


def write_labels(labels: np.ndarray, palette: list, file: str) -> None:
    """Write a palette picture, or 16 bits if 8 are too few."""
    if len(palette) > 256:
        write_image(labels.astype(np.uint16), file)
        return
    picture = Image.fromarray(labels.astype(np.uint8), 'P')
    picture.putpalette([part for color in palette for part in color])
    with open_whole(file, 'wb') as stream:
        picture.save(stream, 'png')


def write_json(content: list | dict, file: str) -> None:
    """Write JSON completely or not at all."""
    with open_whole(file, encoding='utf-8') as stream:
        json.dump(content, stream)


def as_lists(keypoints: Keypoints) -> dict[str, list]:
    """Convert arrays of keypoints and scores for JSON."""
    return {name: part.tolist() for name, part in keypoints._asdict().items()}

# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Segment pictures and videos and paint the classes over them."""
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mmhires.utils.images import read_image, read_video, write_video

# predict.py, which runs without MMSegmentation, takes its inputs from here.
if TYPE_CHECKING:
    from mmseg.models import BaseSegmentor

PICTURES = ('.bmp', '.jpeg', '.jpg', '.png', '.ppm', '.tif', '.tiff', '.webp')
VIDEOS = ('.avi', '.m4v', '.mkv', '.mov', '.mp4', '.mpeg', '.mpg', '.webm')


def __getattr__(name: str) -> object:
    if name == 'load_model':  # it was here in 0.1
        from mmhires.zoo import load_model
        return load_model
    raise AttributeError(f'module {__name__!r} has no attribute {name!r}')


def find_inputs(path: str | Path) -> list[Path]:
    """List the files that a path stands for.

    Args:
        path (str | Path): A picture, a video, or a directory, of which all
            pictures are taken.

    Returns:
        list[Path]: The pictures, sorted, or the one video.

    Raises:
        FileNotFoundError: ``path`` does not exist or holds no picture.
        ValueError: ``path`` is neither a picture nor a video by its suffix.
    """
    path = Path(path)
    if path.is_dir():
        found = sorted(file for file in path.iterdir()
                       if file.suffix.lower() in PICTURES)
        if not found:
            raise FileNotFoundError(
                f'{path} holds no picture ({", ".join(PICTURES)})')
        return found
    if not path.is_file():
        raise FileNotFoundError(f'{path} does not exist')
    if path.suffix.lower() not in PICTURES + VIDEOS:
        raise ValueError(f'{path} is neither a picture ({", ".join(PICTURES)})'
                         f' nor a video ({", ".join(VIDEOS)})')
    return [path]


def track(items: Iterable, count: int) -> Iterable:
    """Items as they are gone through, with a progress bar on stderr."""
    from mmengine.utils import track_iter_progress
    return track_iter_progress((items, count), file=sys.stderr)


def make_painter(
        model: 'BaseSegmentor',
        opacity: float = 0.5,
        with_labels: bool = False) -> Callable[[np.ndarray], np.ndarray]:
    """Make the function that paints a model's prediction over an image.

    Args:
        model (BaseSegmentor): From :func:`load_model`.
        opacity (float): Of the colours, in (0, 1]. Default: 0.5.
        with_labels (bool): Write the class names too, which takes seconds on
            large images. Default: False.

    Returns:
        Callable: BGR image ``(H, W, 3)``, uint8, to the painted image. That is
        as large as the prediction, so larger than the image where the model
        enlarges (``low_res_input``).

    Raises:
        ValueError: ``opacity`` is outside (0, 1], or the model is no
            segmentor.
    """
    import mmcv
    from mmseg.apis import inference_model
    from mmseg.models import BaseSegmentor
    from mmseg.visualization import SegLocalVisualizer
    if not isinstance(model, BaseSegmentor):
        raise ValueError(
            f'a {type(model).__name__} finds no classes to paint: of pose '
            'models, tools/deployment/predict.py writes the keypoints and '
            "MMPose's MMPoseInferencer draws them")
    if not 0 < opacity <= 1:
        raise ValueError(f'opacity must be in (0, 1], got {opacity}')
    visualizer = SegLocalVisualizer(alpha=opacity)
    visualizer.dataset_meta = model.dataset_meta

    def paint(image: np.ndarray) -> np.ndarray:
        sample = inference_model(model, image)
        height, width = sample.pred_sem_seg.shape
        if image.shape[:2] != (height, width):
            image = mmcv.imresize(
                image, (width, height), interpolation='bicubic')
        rgb = mmcv.bgr2rgb(image)
        visualizer.add_datasample('', rgb, sample, with_labels=with_labels)
        return mmcv.rgb2bgr(visualizer.get_image())

    return paint


def overlay(paint: Callable[[np.ndarray], np.ndarray], files: list[Path],
            out_dir: str | Path) -> list[str]:
    """Paint pictures or a video, with a progress bar.

    A picture that does not decode, or that the model refuses, does not keep
    the others from being painted.

    Args:
        paint (Callable): From :func:`make_painter`.
        files (list[Path]): From :func:`find_inputs`.
        out_dir (str | Path): Where the painted files go, under the names they
            have (a video as ``.mp4``).

    Returns:
        list[str]: What went wrong, a line for each picture at fault.

    Raises:
        ValueError: ``out_dir`` is the directory of the inputs, or a video
            cannot be read or written.
    """
    import mmcv
    out_dir = Path(out_dir)
    if out_dir.resolve() == files[0].parent.resolve():
        raise ValueError(f'the output directory {out_dir} is that of the '
                         'input, which would be overwritten')
    out_dir.mkdir(parents=True, exist_ok=True)
    if files[0].suffix.lower() in VIDEOS:
        reader = read_video(files[0])
        frames = track(map(paint, reader), reader.frame_cnt)
        write_video(frames, out_dir / f'{files[0].stem}.mp4', reader.fps)
        return []

    problems = []
    for file in track(files, len(files)):
        try:
            mmcv.imwrite(paint(read_image(file)), str(out_dir / file.name))
        except ValueError as error:
            reason = str(error).removeprefix(f'{file}: ')
            problems.append(f'{file}: {reason}')
    return problems

# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Segment pictures and videos and paint the classes over them."""
import sys
from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path

import cv2
import mmcv
import numpy as np
from mmengine.config import Config
from mmengine.device import get_device
from mmengine.runner import load_checkpoint
from mmengine.utils import track_iter_progress
from mmseg.apis import inference_model, init_model
from mmseg.models import BaseSegmentor
from mmseg.registry import DATASETS
from mmseg.visualization import SegLocalVisualizer

PICTURES = ('.bmp', '.jpeg', '.jpg', '.png', '.ppm', '.tif', '.tiff', '.webp')
VIDEOS = ('.avi', '.m4v', '.mkv', '.mov', '.mp4', '.mpeg', '.mpg', '.webm')


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
        found = sorted(
            file for file in path.iterdir() if file.suffix.lower() in PICTURES)
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


def load_model(config: str | Path,
               checkpoint: str | Path,
               device: str = 'auto') -> BaseSegmentor:
    """Build a segmentor and load its weights.

    Class names and colours come from the checkpoint or, where it has none (a
    bare state dict), from the test dataset of the config.

    Args:
        config (str | Path): Config file.
        checkpoint (str | Path): Checkpoint file or URL.
        device (str): As in PyTorch; ``'auto'`` takes a GPU if there is one.
            Default: ``'auto'``.

    Returns:
        BaseSegmentor: The model in eval mode, as :func:`mmseg.apis.init_model`
        returns it.

    Raises:
        FileNotFoundError: The config or the checkpoint does not exist.
        ValueError: Neither file says what the classes are.
    """
    checkpoint = str(checkpoint)
    if '://' not in checkpoint and not Path(checkpoint).is_file():
        raise FileNotFoundError(f'checkpoint {checkpoint} does not exist')
    cfg = Config.fromfile(config)
    if not any('LoadImage' in str(step['type']) for step in cfg.test_pipeline):
        # a dataset that makes its images; ours are loaded when they come here
        cfg.test_pipeline.insert(0, dict(type='LoadImageFromNDArray'))
    model = init_model(
        cfg, device=get_device() if device == 'auto' else device)
    loaded = load_checkpoint(model, checkpoint, map_location='cpu')
    meta = loaded.get('meta', {}).get('dataset_meta') or config_meta(cfg)
    if not meta.get('classes') or not meta.get('palette'):
        raise ValueError(f'neither {checkpoint} nor test_dataloader.dataset '
                         f'of {config} names the classes and their colours')
    model.dataset_meta = meta
    return model


def config_meta(cfg: Config) -> dict:
    """Class names and palette of the dataset that a config tests on.

    Args:
        cfg (Config): A complete config.

    Returns:
        dict: ``classes`` and ``palette``, as far as they are known.
    """
    dataset = cfg.get('test_dataloader', {}).get('dataset', {})
    cls = DATASETS.get(dataset.get('type', ''))
    return {**getattr(cls, 'METAINFO', {}), **dataset.get('metainfo', {})}


def make_painter(
        model: BaseSegmentor,
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
        ValueError: ``opacity`` is outside (0, 1].
    """
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
        visualizer.add_datasample(
            'overlay',
            mmcv.bgr2rgb(image),
            sample,
            draw_gt=False,
            with_labels=with_labels)
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
    out_dir = Path(out_dir)
    if out_dir.resolve() == files[0].parent.resolve():
        raise ValueError(f'the output directory {out_dir} is that of the '
                         'input, which would be overwritten')
    out_dir.mkdir(parents=True, exist_ok=True)
    if files[0].suffix.lower() in VIDEOS:
        _overlay_video(paint, files[0], out_dir / f'{files[0].stem}.mp4')
        return []

    problems = []
    for file in track_iter_progress(files, file=sys.stderr):
        try:
            mmcv.imwrite(paint(_read(file)), str(out_dir / file.name))
        except ValueError as error:
            problems.append(f'{file}: {error}')
    return problems


def _read(file: Path) -> np.ndarray:
    """Decode a picture to BGR."""
    content = np.frombuffer(file.read_bytes(), np.uint8)
    image = cv2.imdecode(content, cv2.IMREAD_COLOR) if content.size else None
    if image is None:
        raise ValueError('not an image that can be decoded')
    return image


def _frames(reader: cv2.VideoCapture) -> Iterator[np.ndarray]:
    while (frame := reader.read()[1]) is not None:
        yield frame


def _overlay_video(paint: Callable, file: Path, out_file: Path) -> None:
    reader = cv2.VideoCapture(str(file))
    frames = _frames(reader)
    first = next(frames, None)
    if first is None:
        raise ValueError(f'{file}: not a video that can be decoded')
    # painted twice, to know the size before the progress bar is on the screen
    height, width = paint(first).shape[:2]
    writer = cv2.VideoWriter(
        str(out_file), cv2.VideoWriter_fourcc(*'mp4v'),
        reader.get(cv2.CAP_PROP_FPS) or 25, (width, height))
    if not writer.isOpened():
        raise ValueError(f'cannot write the video {out_file}')
    count = max(int(reader.get(cv2.CAP_PROP_FRAME_COUNT)), 0)
    try:
        for frame in track_iter_progress((chain([first], frames), count),
                                         file=sys.stderr):
            writer.write(paint(frame))
    finally:
        writer.release()

# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Run a network from an image to labels or keypoints."""
import importlib
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import mmcv
import numpy as np
import torch
from torch import Tensor

from .runtimes import load_network

# Imported when needed: pose needs MMPose, segmentation MMSegmentation.
_TASKS = dict(segmentation='SegmentationTask', pose='PoseTask')


class Pipeline:
    """A network with what lies before and after it.

    Args:
        spec (dict): ``task``, ``'segmentation'`` or ``'pose'``,
            ``input_shape`` and what the task's ``describe()`` said.
        network (Callable): ``(1, 3, H, W)`` to logits or heatmaps.
        device (str): Where the network takes its input. Default: ``'cpu'``.
        name (str): Of the network, for errors. Default: ``'the network'``.

    Attributes:
        classes (list[str]): Names of the classes, or of the keypoints.
        palette (list[list[int]]): Their colours, RGB.
    """

    def __init__(self,
                 spec: dict,
                 network: Callable[[Tensor], Tensor],
                 device: str = 'cpu',
                 name: str = 'the network') -> None:
        try:
            task = _TASKS[spec['task']]
            module = importlib.import_module(f'.{spec["task"]}', __package__)
            self.task = getattr(module, task)(spec)
            self.classes, self.palette = spec['classes'], spec['palette']
            self.input_shape = spec['input_shape']
        except (KeyError, TypeError) as error:
            raise ValueError(f'{name} describes itself in a way that this '
                             f'version does not know: {error}') from error
        self.network = network
        self.device = device
        self.name = name

    def __call__(self,
                 image: str | Path | np.ndarray,
                 boxes: Sequence | np.ndarray | None = None):
        """Predict.

        Args:
            image (str | Path | np.ndarray): A file, or BGR ``(H, W, 3)``,
                uint8.
            boxes (Sequence, optional): Of a pose model: persons ``(N, 4)`` as
                x1, y1, x2, y2. Default: the whole image.

        Returns:
            np.ndarray | Keypoints: Classes ``(H, W)`` at the size of the image
            (``scale`` times it with ``low_res_input``), or the keypoints.

        Raises:
            FileNotFoundError: There is no such file.
            ValueError: It is no image, or of a size that the network does not
                take.
        """
        image, source = _read(image)
        if self.task.name == 'segmentation':
            inputs, meta = self.task.prepare(image, self.device)
            logits = self._run(inputs, source)
            return self.task.finish(logits, meta)[0].cpu().numpy()
        height, width = image.shape[:2]
        boxes = np.asarray([[0, 0, width, height]] if boxes is None else boxes,
                           np.float32)
        if boxes.ndim != 2 or boxes.shape[1] != 4:
            raise ValueError('boxes must be of shape (N, 4), x1, y1, x2, y2, '
                             f'got {boxes.shape}')
        persons = []
        for box in boxes:
            inputs, meta = self.task.prepare(image, box, self.device)
            heatmaps = [
                self._run(view, source) for view in self.task.views(inputs)
            ]
            persons.append(self.task.finish(heatmaps, meta))
        kind = type(persons[0]) if persons else tuple
        return kind(*(np.concatenate(part) for part in zip(*persons)))

    def _run(self, inputs: Tensor, source: str) -> Tensor:
        want = self.input_shape[2:]
        if want[0] is not None and list(inputs.shape[2:]) != want:
            got = 'x'.join(map(str, inputs.shape[2:]))
            raise ValueError(
                f'{source}: the network would get {got} pixels, but '
                f'{self.name} takes {want[0]}x{want[1]}; export with a '
                'dynamic size, or resize the image')
        with torch.inference_mode():
            outputs = self.network(inputs)
        if outputs.shape[1] not in (1, len(self.classes)):
            raise ValueError(f'{self.name} has {outputs.shape[1]} outputs, '
                             f'but names {len(self.classes)}: export it again')
        return outputs


class Predictor(Pipeline):
    """An exported file that runs from an image to labels or keypoints.

    Needs neither the config nor the checkpoint that the file was made from::

        labels = Predictor('model.onnx')('street.png')

    Args:
        file (str | Path): What :func:`mmhires.deploy.export` wrote.
        device (str): ``'cpu'``, ``'cuda'`` or, for ONNX, ``'tensorrt'``.
            Default: ``'cpu'``.
        threads (int, optional): Of ONNX Runtime; PyTorch has
            :func:`torch.set_num_threads`. Default: all processors.

    Raises:
        FileNotFoundError: There is no such file.
        ImportError: What runs the file is not installed.
        ValueError: The file is damaged or was not exported by mmhires, or
            ``device`` is not there.
    """

    def __init__(self,
                 file: str | Path,
                 device: str = 'cpu',
                 threads: int | None = None) -> None:
        network, spec = load_network(Path(file), device, threads)
        super().__init__(spec, network,
                         'cpu' if device == 'tensorrt' else device, str(file))


def _read(image: str | Path | np.ndarray) -> tuple[np.ndarray, str]:
    """The image in BGR, and what to call it."""
    if isinstance(image, np.ndarray):
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
            raise ValueError('an image must be BGR of shape (H, W, 3), uint8, '
                             f'got {image.shape}, {image.dtype}')
        return image, 'the image'
    if not Path(image).is_file():
        raise FileNotFoundError(f'{image} does not exist')
    try:
        content = mmcv.imread(str(image), backend='cv2')
    except cv2.error:
        content = None
    if content is None:
        raise ValueError(f'{image}: not an image that can be decoded')
    return content, str(image)

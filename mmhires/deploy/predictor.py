# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Run a network from an image to labels or keypoints."""
import importlib
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from mmhires.utils.errors import first_line
from mmhires.utils.images import read_image

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
        batch_size (int): Images in a batch at most.
    """
    batch_size = 8

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
            # What 0.1.0 wrote does not say it.
            self.decoding = dict(spec.get('loading', {}))
        except (KeyError, TypeError) as error:
            raise ValueError(f'{name} describes itself in a way that this '
                             f'version does not know: {error}') from error
        self.dtype = np.float32 if self.decoding.pop('to_float32', False) \
            else np.uint8
        self.network = network
        self.device = device
        self.name = name

    def __call__(self,
                 image: str | Path | np.ndarray | list,
                 boxes: Sequence | np.ndarray | None = None):
        """Predict.

        Args:
            image (str | Path | np.ndarray | list): A file, or BGR
                ``(H, W, 3)``, uint8; or a list of them, which are batched
                where the network's inputs agree in size and the file was
                exported for batches.
            boxes (Sequence, optional): Of a pose model: persons ``(N, 4)`` as
                x1, y1, x2, y2, a list of such of a list of images.
                Default: the whole image.

        Returns:
            np.ndarray | Keypoints | list: Classes ``(H, W)`` at the size of
            the image (``scale`` times it with ``low_res_input``), or the
            keypoints; a list of them of a list of images.

        Raises:
            FileNotFoundError: There is no such file.
            ValueError: It is no image, or of a size that the network does not
                take.
        """
        if not isinstance(image, list):
            return self.finish(*self.run([self.prepare(image, boxes)]))
        boxes = [None] * len(image) if boxes is None else boxes
        return [
            self.finish(job) for job in self.run(
                [self.prepare(*pair) for pair in zip(image, boxes)])
        ]

    def stream(self,
               images: Iterable,
               ahead: int = 4) -> Iterator[tuple[object, object]]:
        """Predict a sequence, while the next are decoded and run already.

        Decoding and the network have a thread each; what the caller does with
        a result, drawing for example, is done beside both.

        Args:
            images (Iterable): Files or images; it is advanced in the thread
                that decodes.
            ahead (int): How many images are under way at a time. Default: 4.

        Yields:
            tuple: Each image as it was given, and its result, or the
            ValueError or OSError that came of it.
        """
        images = iter(images)

        def prepare():
            image = next(images, None)
            try:
                return image, None if image is None else self.prepare(image)
            except (OSError, ValueError) as error:
                return image, error

        def run(prepared: Future):
            image, job = prepared.result()
            try:
                return image, job if image is None or isinstance(
                    job, Exception) else self.run([job])[0]
            except ValueError as error:
                return image, error

        with ThreadPoolExecutor(1) as decoder, ThreadPoolExecutor(1) as runner:
            waiting = deque()
            while True:
                while len(waiting) < ahead:
                    waiting.append(runner.submit(run, decoder.submit(prepare)))
                image, job = waiting.popleft().result()
                if image is None:
                    return
                yield image, job if isinstance(job,
                                               Exception) else self.finish(job)

    def prepare(self,
                image: str | Path | np.ndarray,
                boxes: Sequence | np.ndarray | None = None) -> '_Job':
        """Decode an image and make the network's inputs of it."""
        image, source = self._read(image)
        if self.task.name == 'segmentation':
            inputs, meta = self.task.prepare(image, self.device)
            job = _Job([inputs], [meta], source)
        else:
            height, width = image.shape[:2]
            boxes = np.asarray(
                [[0, 0, width, height]] if boxes is None else boxes,
                np.float32)
            if not boxes.size:  # nobody in the image
                boxes = boxes.reshape(0, 4)
            if boxes.ndim != 2 or boxes.shape[1] != 4:
                raise ValueError('boxes must be of shape (N, 4), x1, y1, x2, '
                                 f'y2, got {boxes.shape}')
            job = _Job([], [], source)
            for box in boxes:
                inputs, meta = self.task.prepare(image, box, self.device)
                job.tensors.extend(self.task.views(inputs))
                job.metas.append(meta)
        want = self.input_shape[2:]
        for inputs in job.tensors:
            if want[0] is not None and list(inputs.shape[2:]) != want:
                got = 'x'.join(map(str, inputs.shape[2:]))
                raise ValueError(
                    f'{source}: the network would get {got} pixels, but '
                    f'{self.name} takes {want[0]}x{want[1]}; export with a '
                    'dynamic size, or resize the image')
        return job

    def run(self, jobs: 'list[_Job]') -> 'list[_Job]':
        """Run the network on what :meth:`prepare` made."""
        inputs = [tensor for job in jobs for tensor in job.tensors]
        outputs = [None] * len(inputs)
        alike = defaultdict(list)
        for i, tensor in enumerate(inputs):
            alike[tensor.shape].append(i)
        size = self.batch_size if self.input_shape[0] is None else 1
        parts = [
            numbers[start:start + size] for numbers in alike.values()
            for start in range(0, len(numbers), size)
        ]
        try:
            with torch.inference_mode():
                for part in parts:
                    out = self.network(torch.cat([inputs[i] for i in part]))
                    self._check_names(out)
                    for i, single in zip(part, out.split(1)):
                        outputs[i] = single
        except Exception as error:  # of whatever runs it
            raise ValueError(f'{jobs[0].source}: {self.name} cannot be run: '
                             f'{first_line(error)}') from error
        outputs = iter(outputs)
        return [
            job._replace(tensors=[next(outputs) for _ in job.tensors])
            for job in jobs
        ]

    def _check_names(self, outputs: Tensor) -> None:
        """Refuse to call an output by the name of another."""
        if outputs.is_floating_point() and outputs.shape[1] not in (
                1, len(self.classes)):
            raise ValueError(f'{self.name} has {outputs.shape[1]} outputs, '
                             f'but names {len(self.classes)}: export it again')

    def finish(self, job: '_Job'):
        """The result from what the network gave."""
        if self.task.name == 'segmentation':
            return self.task.finish(*job.tensors, *job.metas)[0].cpu().numpy()
        views = len(job.tensors) // max(len(job.metas), 1)
        persons = [
            self.task.finish(job.tensors[views * i:views * (i + 1)], meta)
            for i, meta in enumerate(job.metas)
        ]
        return self.task.join(persons)

    def _read(self, image: str | Path | np.ndarray) -> tuple[np.ndarray, str]:
        """The image in BGR, and what to call it."""
        source = 'the image'
        if not isinstance(image, np.ndarray):
            image, source = read_image(image, **self.decoding), str(image)
        elif image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
            raise ValueError('an image must be BGR of shape (H, W, 3), uint8, '
                             f'got {image.shape}, {image.dtype}')
        return image.astype(self.dtype, copy=False), source


class Predictor(Pipeline):
    """An exported file that runs from an image to labels or keypoints.

    Needs neither the config nor the checkpoint that the file was made from::

        labels = Predictor('model.onnx')('street.png')

    Args:
        file (str | Path): What :func:`mmhires.deploy.export` wrote.
        device (str): ``'cpu'``, ``'cuda'`` or, for ONNX, ``'tensorrt'``; of
            several GPUs ``'cuda:1'``. Default: ``'cpu'``.
        threads (int, optional): Of the network. Default: all processors.
        runtime (str): ``'openvino'`` or ``'onnxruntime'`` for ``.onnx``,
            ``'torch'`` for ``.pt2``, or ``'auto'``, which takes the first that
            is installed. Default: ``'auto'``.
        precision (str, optional): To compute in, ``'bf16'`` for example, where
            the engine can do that with a file of fp32. Default: that of the
            file.

    Attributes:
        runtime (str): The engine that runs the file.

    Raises:
        FileNotFoundError: There is no such file.
        ImportError: What runs the file is not installed.
        ValueError: The file is damaged, of another engine or was not exported
            by mmhires, or ``device`` or ``precision`` is not there.
    """

    def __init__(self,
                 file: str | Path,
                 device: str = 'cpu',
                 threads: int | None = None,
                 runtime: str = 'auto',
                 precision: str | None = None) -> None:
        network, spec, self.runtime = load_network(
            Path(file), runtime, device, precision, threads)
        gpu = device.replace('tensorrt', 'cuda')
        super().__init__(spec,
                         network, gpu if torch.cuda.is_available() else 'cpu',
                         str(file))


class _Job(NamedTuple):
    """Inputs of the network, later its outputs, and what finish() needs."""
    tensors: list[Tensor]
    metas: list[dict]
    source: str

# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Run a network from an image to labels or keypoints."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from mmhires.utils.boxes import check_boxes
from mmhires.utils.errors import first_line
from mmhires.utils.images import read_image

from .ahead import predict_ahead
from .arguments import device_name, is_file_name, thread_count
from .forks import computing
from .formats import FORMATS
from .metadata import check_enlarged, check_metadata
from .processor import Array, is_floating, processor_class
from .runtimes import load_network
from .sources import check_counts, join_boxes, open_source, own_images

if TYPE_CHECKING:
    import torch


class Pipeline:
    """A network with its pre- and post-processing.

    Args:
        spec: What the task's ``describe()`` said, and ``input_shape``, of which None is any number.
            Of a network that makes labels itself also ``image_shape``, the one size of image that
            it makes them of.
        network: ``(N, 3, H, W)`` to logits, heatmaps or labels.
        device: Where the network takes its input. Default: ``'cpu'``.
        name: Of the network, for errors. Default: ``'the network'``.
        arrays: The network takes and returns NumPy arrays, not tensors. Default: False.

    Attributes:
        classes (list[str]): Names of the classes, or of the keypoints.
        palette (list[list[int]]): Their colours, RGB.
        batch_size (int): Images in a batch at most.
    """

    batch_size = 8

    def __init__(
        self,
        spec: dict,
        network: Callable[[Array], Array],
        device: str = 'cpu',
        name: str = 'the network',
        arrays: bool = False,
    ) -> None:
        try:
            check_metadata(spec, name)
            self.processor = processor_class(spec['task'])(spec)
            self.takes_boxes = spec['task'] == 'pose'
            self.classes, self.palette = spec['classes'], spec['palette']
            self.input_shape = spec['input_shape']
        except (ImportError, KeyError, TypeError) as error:
            raise ValueError(
                f'{name} describes itself in a way that this version does not know: {error}'
            ) from error
        # What 0.1.0 wrote says neither.
        self.image_shape = spec.get('image_shape')
        self.decoding = dict(spec.get('loading', {}))
        to_float32 = self.decoding.pop('to_float32', False)
        self.dtype = np.float32 if to_float32 else np.uint8
        self.network, self.device, self.name = network, device, name
        self.arrays = arrays

    def __call__(
        self, image: str | Path | np.ndarray | list, boxes: Sequence | np.ndarray | None = None
    ):
        """Predict.

        Args:
            image: A file, or BGR ``(H, W, 3)``, uint8; or a list of them, which are batched where
                the network's inputs agree in size and the file was exported for batches.
            boxes: Of a pose model: persons ``(N, 4)`` as x1, y1, x2, y2, a list of such of a list
                of images. Default: the whole image.

        Returns:
            Classes ``(H, W)`` at the size of the image (``scale`` times it with ``low_res_input``),
            or the keypoints; a list of them of a list of images.

        Raises:
            FileNotFoundError: There is no such file.
            ValueError: It is not an image, or of a size that the network does not take.
        """
        if not isinstance(image, list):
            return self([image], boxes if boxes is None else [boxes])[0]
        check_counts(image, boxes)
        pairs = join_boxes(image, boxes)
        jobs = [self.prepare(*given) for _, given in pairs]
        return list(map(self.finish, self.run(jobs)))

    def stream(
        self, images: Iterable | str | Path | int, ahead: int = 2, boxes: Iterable | None = None
    ) -> Iterator[tuple]:
        """Predict a sequence, while the next images are decoded and run.

        Decoding and the network have a thread each; what the caller does with a result, drawing for
        example, is done beside both. Leaving the loop waits for neither more images nor their
        source.

        Args:
            images: Files or images; or what :func:`list_inputs` takes, a video, a directory,
                ``'rtsp://...'`` or the number of a camera among them. It is advanced in the thread
                that decodes, which copies images, so that a source may reuse its memory.
            ahead: How many images each thread may be ahead of what takes its results; 0 does
                without threads.
            boxes: Of a pose model: those of each image, as of a call.

        Yields:
            Each image (a copy of an array), and its result, or the ValueError, OSError or
            MemoryError that came of it. A damaged video ends in None and an OSError.

        Raises:
            ValueError: ``ahead`` is negative, or there are more or less ``boxes`` than images.
        """
        if not isinstance(ahead, int) or ahead < 0:
            raise ValueError(f'ahead must be 0, 1, 2, ..., got {ahead!r}')
        if isinstance(images, (str, Path, int)):
            images = open_source(images)
        else:
            check_counts(images, boxes)
            images = own_images(images)
        return predict_ahead(self, join_boxes(images, boxes), ahead)

    def prepare(
        self, image: str | Path | np.ndarray, boxes: Sequence | np.ndarray | None = None
    ) -> '_Job':
        """Decode an image and make the network's inputs."""
        source = 'the image'
        if is_file_name(image):
            image, source = read_image(image, **self.decoding), str(image)
        if self.image_shape not in (None, list(image.shape[:2])):
            raise ValueError(
                '{}: {}x{} pixels, but {} makes labels of {}x{}; export '
                'without labels inside, or resize the image'.format(
                    source, *image.shape[:2], self.name, *self.image_shape
                )
            )
        check_enlarged(self.processor.spec, *image.shape[:2], source)
        image = image.astype(self.dtype, copy=False)
        try:
            if self.takes_boxes:
                boxes = check_boxes(boxes, *image.shape[:2])
            elif boxes is not None:
                raise ValueError(f'boxes are of pose models, but {self.name} is a segmentor')
        except ValueError as error:
            raise ValueError(f'{source}: {error}') from error
        with computing():
            tensors, metas = self.processor.prepare(image, boxes, self.device)
            if not self.arrays:
                import torch

                tensors = map(torch.from_numpy, map(np.ascontiguousarray, tensors))
                tensors = [tensor.to(self.device) for tensor in tensors]
        want = self.input_shape[2:]
        for inputs in tensors:
            if want[0] is not None and list(inputs.shape[2:]) != want:
                got = 'x'.join(map(str, inputs.shape[2:]))
                raise ValueError(
                    f'{source}: the network would get {got} pixels, but {self.name} takes '
                    f'{want[0]}x{want[1]}; export with a dynamic size, or resize the image'
                )
        return _Job(tensors, metas, source)

    def run(self, jobs: 'list[_Job]') -> 'list[_Job]':
        """Run the network on the result of :meth:`prepare`."""
        inputs = [tensor for job in jobs for tensor in job.tensors]
        outputs, alike = {}, defaultdict(list)
        for i, tensor in enumerate(inputs):
            alike[tensor.shape].append(i)
        size = self.batch_size if self.input_shape[0] is None else 1
        starts = ((numbers, n) for numbers in alike.values() for n in range(0, len(numbers), size))
        try:
            with computing():
                for batch in (numbers[start : start + size] for numbers, start in starts):
                    out = self._compute([inputs[i] for i in batch])
                    self._check_names(out)
                    outputs.update((i, out[place : place + 1]) for place, i in enumerate(batch))
        except Exception as error:  # of whatever runs it
            raise ValueError(
                f'{jobs[0].source}: {self.name} cannot be run: {first_line(error)}'
            ) from error
        ordered = (outputs[i] for i in range(len(inputs)))
        return [job._replace(tensors=list(islice(ordered, len(job.tensors)))) for job in jobs]

    def _compute(self, inputs: list[Array]) -> Array:
        """Run the network on inputs of one size together."""
        if self.arrays:
            one = len(inputs) == 1
            return self.network(inputs[0] if one else np.concatenate(inputs))
        import torch

        with torch.inference_mode():
            return self.network(torch.cat(inputs))

    def _check_names(self, outputs: Array) -> None:
        """Check that outputs match the class names."""
        if is_floating(outputs):
            count = outputs.shape[1]
            count = len(self.classes) if count == 1 else count
            matches = count == len(self.classes)
        else:  # labels
            count = int(outputs.max()) + 1
            matches = count <= len(self.classes)
        if not matches:
            raise ValueError(
                f'{self.name} has {count} outputs, but names {len(self.classes)}: export it again'
            )

    def finish(self, job: '_Job'):
        """Make the result from the network's output."""
        with computing():
            return self.processor.finish(job.tensors, job.metas)


class Predictor(Pipeline):
    """An exported file that runs from an image to labels or keypoints.

    Needs neither the config nor the checkpoint that the file was made from::

        labels = Predictor('model.onnx')('street.png')

    Any number of threads may use it at once, with every engine, on CPUs and GPUs; several
    ``stream()`` too. A pickled one, as processes that are spawned get it, opens its file again, by
    its absolute path, and refuses one that is not the same. So does the child of a fork, where
    PyTorch computes with one thread; OpenVINO refuses where the parent has closed another network
    of it, and GPUs always do.

    Args:
        file: What :func:`mmhires.deploy.export` wrote.
        device: ``'cpu'``, ``'cuda'`` or, for ONNX, ``'tensorrt'``; of several GPUs ``'cuda:1'``.
            Default: ``'cpu'``.
        threads: Of the network, at least 1; with ``'torch'`` of the whole process. Default: all
            processors.
        runtime: ``'openvino'`` or ``'onnxruntime'`` for ``.onnx``, ``'torch'`` for ``.pt2``, or
            ``'auto'``, which takes the first that is installed. Default: ``'auto'``.
        precision: To compute in, ``'bf16'`` for example, where the engine can do that with a file
            of fp32. Default: that of the file.

    Attributes:
        runtime (str): The engine that runs the file.

    Raises:
        FileNotFoundError: There is no such file.
        ImportError: What runs the file is not installed.
        ValueError: The file is damaged, of another engine or was not exported by mmhires, or
            ``device`` or ``precision`` is not there.
    """

    def __init__(
        self,
        file: str | Path,
        device: 'str | torch.device' = 'cpu',
        threads: int | None = None,
        runtime: str = 'auto',
        precision: str | None = None,
    ) -> None:
        device = device_name(device)
        network, spec, self.runtime = load_network(
            Path(file), runtime, device, precision, thread_count(threads)
        )
        arrays = device == 'cpu' and not FORMATS[Path(file).suffix.lower()].tensors
        where = 'cpu'
        if not arrays:
            import torch

            if torch.cuda.is_available():
                where = device.replace('tensorrt', 'cuda')
        super().__init__(spec, network, where, str(file), arrays)


class _Job(NamedTuple):
    """Inputs of the network, later its outputs, and what finish() needs."""

    tensors: list[Array]
    metas: list[dict]
    source: str

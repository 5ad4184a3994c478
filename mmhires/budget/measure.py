# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Accuracy and time, read back where they were measured of the same."""

import copy
import os.path as osp
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec

import torch
from mmengine.fileio import load

from mmhires.analysis import device_name, forward_tensor, measure_in_turns
from mmhires.analysis.provenance import content_hash, fits, keep_json, origin, say
from mmhires.deploy import Network, strip
from mmhires.deploy.engines import onnxruntime, openvino
from mmhires.deploy.writers.onnx import write as to_onnx
from mmhires.utils.errors import first_line

from .network import InputSize, TrainedNetwork

ENGINES = {'ONNX Runtime': onnxruntime, 'OpenVINO': openvino}


@dataclass
class Candidate:
    """A network at a size, to be measured.

    Attributes:
        name: In tables.
        network: May be that of other candidates too.
        size: What it sees.
        stride: Image : coarsest map, for sizes that are not its own.
        checkpoint: Its weights.
    """

    name: str
    network: TrainedNetwork
    size: InputSize
    stride: int
    checkpoint: str

    def prepare(self) -> TrainedNetwork:
        """The network at this size."""
        self.network.reduce(self.size.scale, self.stride)
        return self.network

    def origin(self, **parts) -> dict:
        """What decides its results."""
        return origin(
            self.network.tested(),
            weights=content_hash(self.checkpoint),
            shape=self.size.shape,
            scale=self.size.scale,
            **parts,
        )


def measure_accuracy(candidate: Candidate, indices: Sequence[int], folder: str) -> dict:
    """Test a candidate, as :meth:`TrainedNetwork.evaluate` does.

    Args:
        candidate: The network and its size.
        indices: Of the test images.
        folder: For the result, which is read back.
    """
    path = osp.join(folder, f'{candidate.name}.json')
    return _kept(
        path,
        candidate.origin(images=list(indices)),
        lambda: candidate.prepare().evaluate(indices, f'test {candidate.name}'),
    )


def measure_latency(
    candidates: Sequence[Candidate], threads: int, folder: str
) -> dict[str, dict[str, float]]:
    """Time all candidates in turns, on every engine that is installed.

    Args:
        candidates: The networks and their sizes.
        threads: Of each engine.
        folder: For the result, which is read back.

    Returns:
        Milliseconds of an image by name of the candidate, by engine.
    """
    engines = ['PyTorch']
    if find_spec('onnx'):
        engines += [
            engine
            for engine, module in ENGINES.items()
            if find_spec(module.__name__.rpartition('.')[2])
        ]
    of = dict(
        candidates={each.name: each.origin() for each in candidates},
        engines=engines,
        machine=device_name(),
        threads=threads,
    )
    return _kept(
        osp.join(folder, 'latency.json'),
        of,
        lambda: {engine: _time(candidates, engine, threads) for engine in engines},
    )


def _kept(path: str, of: dict, make: Callable[[], dict]) -> dict:
    if not fits(path, of):
        keep_json(path, make(), of)
    return load(path)


def _time(candidates: Sequence[Candidate], engine: str, threads: int) -> dict[str, float]:
    """Medians by name, none of an engine that cannot have a candidate."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        steps = {candidate.name: _step(candidate, engine, threads) for candidate in candidates}
    except Exception as error:  # of any layer, from any exporter
        say(f'{engine} is left out: {first_line(error)}')
        return {}
    else:
        with torch.no_grad():
            times = measure_in_turns(steps, text=f'time in {engine}')
    finally:
        torch.set_num_threads(before)
    return {name: time.median for name, time in times.items()}


def _step(candidate: Candidate, engine: str, threads: int) -> Callable[[], object]:
    """One forward pass, without resizing and labels."""
    model = candidate.prepare().model
    image = torch.randn(candidate.size.shape)
    if engine == 'PyTorch':
        return partial(forward_tensor, strip(copy.deepcopy(model)), image)
    content = to_onnx(Network(model, channels_last=False), image)
    run, _ = ENGINES[engine].load(content, 'cpu', None, threads)
    return partial(run, image.numpy())

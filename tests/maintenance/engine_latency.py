# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Time networks on the engines, one thread, and show what bounds them.

    python tests/maintenance/engine_latency.py PLAIN.py OURS.py --image 192 384

Random weights; the networks take turns in one process. What counts is the
processor time of a run, which other work on the machine disturbs less than
the time of day, and the median of its ratio to the first network. A config may
be followed by changes: ``OURS.py:decode_head.stride=8,decode_head.subpixel=2``
of its model. ``--layers`` prints multiply-accumulates and bytes by layer, each
tensor read or written once in fp32: what has few of the first for each of the
second is bound by memory.
"""

import argparse
import copy
import time
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from statistics import median
from types import SimpleNamespace

import numpy as np
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from torch import nn

from mmhires.analysis import count_macs, network_input
from mmhires.deploy import Network
from mmhires.deploy.engines import onnxruntime, openvino
from mmhires.deploy.quantize import OPERATORS
from mmhires.deploy.writers.onnx import write as to_onnx
from mmhires.registry import MODELS

ENGINES = {
    'OpenVINO fp32': (openvino.load, None, False),
    'OpenVINO bf16': (openvino.load, 'bf16', False),
    'OpenVINO int8': (openvino.load, None, True),
    'ONNX Runtime fp32': (onnxruntime.load, None, False),
    'ONNX Runtime int8': (onnxruntime.load, None, True),
}
LAYERS = (nn.modules.conv._ConvNd, nn.modules.pooling._AvgPoolNd)


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('configs', nargs='+', help='baseline first')
    parser.add_argument('--image', nargs=2, type=int, required=True)
    parser.add_argument('--engines', nargs='+', default=ENGINES)
    parser.add_argument('--repeats', type=int, default=15)
    parser.add_argument('--layers', action='store_true')
    return parser.parse_args()


def build(text: str) -> nn.Module:
    """The student of a config, as it is deployed."""
    path, _, changes = text.partition(':')
    cfg = Config.fromfile(path)
    init_default_scope('mmseg')
    changes = dict(x.split('=') for x in changes.split(',') if x)
    cfg.merge_from_dict({f'model.{key}': _number(value) for key, value in changes.items()})
    for key in ('teacher', 'teacher_ckpt', 'distill_losses'):
        cfg.model.pop(key, None)
    torch.manual_seed(0)
    return MODELS.build(dict(cfg.model, type='EncoderDecoder')).eval()


def _number(text: str) -> float | str:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def quantized(content: bytes, image: np.ndarray) -> bytes:
    """The file in int8, as :func:`mmhires.deploy.quantize` writes it."""
    import tempfile

    import onnx
    import onnxruntime.quantization as quantization

    with tempfile.TemporaryDirectory() as folder:
        before, after = f'{folder}/float.onnx', f'{folder}/int8.onnx'
        model = onnx.load_model_from_string(content)
        onnx.save(onnx.shape_inference.infer_shapes(model), before)
        reader = SimpleNamespace(get_next=partial(next, iter([dict(image=image)]), None))
        quantization.quantize_static(
            before,
            after,
            reader,
            per_channel=True,
            op_types_to_quantize=list(OPERATORS),
            extra_options=dict(ActivationSymmetric=True),
        )
        with open(after, 'rb') as file:
            return file.read()


def cpu_times(runs: dict[str, Callable], repeats: int) -> dict[str, list]:
    """Milliseconds of processor time of functions that take turns."""
    times = {name: [] for name in runs}
    for turn in range(repeats + 2):
        for name, run in runs.items():
            begin = time.process_time()
            run()
            if turn > 1:
                times[name].append(1000 * (time.process_time() - begin))
    return times


def layers(model: nn.Module, image: torch.Tensor) -> Iterator[str]:
    """A line for each convolution or pooling: name, MMACs, MB, ratio."""
    rows, handles = [], []

    def note(name: str, layer: nn.Module, args: tuple, output: torch.Tensor) -> None:
        weights = sum(x.numel() for x in layer.parameters())
        kernel = layer.weight[0].numel() if weights else 0
        size = args[0].numel() + output.numel() + weights
        rows.append((name, output.numel() * kernel / 1e6, 4 * size / 1e6))

    for name, layer in model.named_modules():
        if isinstance(layer, LAYERS):
            handles.append(layer.register_forward_hook(partial(note, name)))
    with torch.no_grad():
        model(image)
    for handle in handles:
        handle.remove()
    for name, macs, size in rows:
        yield f'  {macs:8.1f} MMACs {size:7.1f} MB {macs / size:6.1f}  {name}'


def main() -> None:
    args = parse_args()
    warnings.simplefilter('ignore')
    torch.set_num_threads(1)
    contents, images = {}, {}
    for name in args.configs:
        model = build(name)
        shape = network_input(model, args.image)
        image = torch.randn(shape)
        network = Network(copy.deepcopy(model), channels_last=False)
        contents[name], images[name] = to_onnx(network, image), image.numpy()
        print(f'{count_macs(model, shape) / 1e9:.3f} GMACs  {name}')
        if args.layers:
            print(*layers(network, image), sep='\n')
    for engine in args.engines:
        load, precision, int8 = ENGINES[engine]
        runs = {}
        for name, content in contents.items():
            if int8:
                content = quantized(content, images[name])
            run = load(content, 'cpu', precision, 1)[0]
            runs[name] = partial(run, images[name])
        times = cpu_times(runs, args.repeats)
        print(engine)
        for name, own in times.items():
            ratio = median(a / b for a, b in zip(own, times[args.configs[0]]))
            print(f'  {median(own):8.1f} ms {ratio:6.2f}x  {name}', flush=True)


if __name__ == '__main__':
    main()

# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
r"""Time a model on every engine against MMSegmentation's `predict`.

    python tools/analysis_tools/compare_upstream.py --threads 1 2 \
        --checkpoint ours.pth --image street.png --out times.json
    python tools/analysis_tools/compare_upstream.py --config CONFIG \
        --checkpoint CHECKPOINT --image street.png

A normalised image becomes full-size labels: by `predict` of the model, and by
`mmhires.deploy.accelerate` on each engine that is installed and `labels`.
Without --config it is DDRNet-23-slim, and the first is `predict` of
MMSegmentation's own with equal weights; without a checkpoint they are random,
so that the labels are noise and agree less than trained ones. --int8 names a
file of the same model and size that tools/deployment/export.py wrote.

All take turns in one process; ratios are those of the medians. Peak memory is
the resident set of a process of its own for each, above what it was when the
model was ready to run; memory in use is the same where glibc is told not to
keep blocks of 1 MiB and more that were freed.
"""
import argparse
import ctypes
import gc
import os
import re
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np
import torch
from mmengine.fileio import dump
from mmengine.hub import get_config
from mmengine.model import revert_sync_batchnorm
from mmengine.registry import init_default_scope
from mmengine.runner import CheckpointLoader
from mmengine.utils import track_iter_progress
from mmseg.structures import SegDataSample
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from mmhires.analysis import device_name, measure_in_turns
from mmhires.converters import convert
from mmhires.deploy import accelerate, labels
from mmhires.deploy.runtimes import load_engine
from mmhires.registry import MODELS
from mmhires.utils.images import read_image as read_picture
from mmhires.zoo import load_model

UPSTREAM = ('mmseg::ddrnet/'
            'ddrnet_23-slim_in1k-pre_2xb6-120k_cityscapes-1024x1024.py')
HEAD = dict(
    type='mmhires.DAPPMHead',
    in_channels=[128, 512],
    channels=64,
    loss_decode=dict(type='CrossEntropyLoss'))
# By name: backend and precision of `accelerate`; int8 is a file.
FORMS = {
    f'{backend} {precision}': (backend, precision)
    for backend, precisions in dict(
        openvino=('fp32', 'bf16', 'int8'),
        onnxruntime=('fp32', 'int8'),
        torch=('fp32', 'bf16')).items()
    for precision in precisions
}
# What of a processor's abilities decides which kernels run.
FLAGS = re.compile(r'\b(avx\w*|amx\w*|fma|f16c|asimd\w*|sve\w*|i8mm|bf16)\b')
PLAIN = ('mmseg predict', 'ours, predict')
# glibc then keeps no freed block of 1 MiB or more, which costs much time.
RETURN_AT_ONCE = dict(MALLOC_MMAP_THRESHOLD_=str(2**20))


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--config', help='default: DDRNet-23-slim')
    parser.add_argument('--checkpoint', help='of the config')
    parser.add_argument('--int8', help='.onnx of the same model and size')
    parser.add_argument('--out', help='.json file for the results')
    parser.add_argument('--image', help='picture, resized; default: noise')
    parser.add_argument(
        '--size', nargs=2, type=int, default=[1024, 2048], metavar=('H', 'W'))
    parser.add_argument(
        '--forms',
        nargs='+',
        choices=FORMS,
        help='default: all that are installed')
    parser.add_argument('--repeats', type=int, default=10)
    parser.add_argument('--warmup', type=int, default=2)
    parser.add_argument('--threads', nargs='+', type=int)
    parser.add_argument('--device', default='cpu')
    parser.add_argument('--memory-of', help=argparse.SUPPRESS)
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    init_default_scope('mmseg')
    args.forms = args.forms or [
        name for name, (backend, precision) in FORMS.items()
        if find_spec(backend) and (args.int8 or precision != 'int8')
    ]
    found = []
    for threads in args.threads or [torch.get_num_threads()]:
        torch.set_num_threads(threads)
        args.threads = threads
        models = build_models(args)
        image, meta = read_image(models, args)
        if args.memory_of:
            step = make_step(args.memory_of, models, image, meta, args)
            print(f'peak: {peak_memory(step, args.device)}')
            return
        found += measure(models, image, meta, args)
    height, width = meta['ori_shape']
    machine = dict(
        size=f'{height}x{width}',
        weights='trained' if args.checkpoint else 'random',
        device=device_name(args.device),
        flags=sorted(set(FLAGS.findall(Path('/proc/cpuinfo').read_text()))),
        versions={
            name: version(name)
            for name in ('torch', 'onnxruntime', 'openvino') if find_spec(name)
        })
    table = Table('', 'threads', 'ms', 'quartiles', 'faster', 'equal labels',
                  'peak MiB', 'in use, MiB')
    for row in found:
        table.add_row(row['form'], str(row['threads']), f'{row["ms"]:.0f}',
                      '{:.0f} - {:.0f}'.format(*row['quartiles']),
                      f'{row["faster"]:.2f}x', f'{row["equal"]:.4%}',
                      f'{row["peak"]:.0f}', f'{row["in_use"]:.0f}')
    console = Console(width=110)
    console.print(table)
    console.print(', '.join(f'{key} {value}'
                            for key, value in machine.items()))
    if args.out:
        dump(dict(machine, results=found), args.out)


def measure(models: dict, image: Tensor, meta: dict,
            args: argparse.Namespace) -> list[dict]:
    """A row of the table for each form, at one number of threads."""
    steps = {
        name: make_step(name, models, image, meta, args)
        for name in (*models, *args.forms)
    }
    with torch.inference_mode():
        labels_of = {name: step() for name, step in steps.items()}
        times = measure_in_turns(
            steps,
            args.repeats,
            args.warmup,
            args.device,
            track=partial(track_iter_progress, file=sys.stderr))
    first = next(iter(models))
    return [
        dict(
            form=name,
            threads=args.threads,
            ms=time.median,
            quartiles=[time.low, time.high],
            faster=times[first].median / time.median,
            equal=(labels_of[name] == labels_of[first]).double().mean().item(),
            peak=memory_of(name, args.threads, {}) / 2**20,
            in_use=memory_of(name, args.threads, RETURN_AT_ONCE) / 2**20)
        for name, time in times.items()
    ]


def build_models(args: argparse.Namespace) -> dict[str, nn.Module]:
    """The model, or upstream's and our DDRNet with the same weights."""
    if args.config:
        model = load_model(args.config, args.checkpoint, args.device)
        return {'predict': model}
    weights, classes = None, 19
    if args.checkpoint:
        weights = CheckpointLoader.load_checkpoint(args.checkpoint, 'cpu')
        weights = weights.get('state_dict', weights)
        weights = {
            key: value
            for key, value in weights.items()
            if key.startswith(('backbone.', 'decode_head.', 'auxiliary_head.'))
        }
        classes = len(weights['decode_head.conv_seg.weight'])
    cfg = get_config(UPSTREAM).model
    cfg.data_preprocessor.pop('size')
    cfg.decode_head.update(
        num_classes=classes, loss_decode=[HEAD['loss_decode']] * 2)
    upstream = revert_sync_batchnorm(MODELS.build(cfg)).eval()
    cfg.backbone = dict(type='mmhires.DDRNet', arch='23-slim')
    cfg.decode_head = dict(HEAD, num_classes=classes)
    ours = MODELS.build(cfg).eval()
    if weights is None:
        randomize(upstream)
    else:
        upstream.load_state_dict(
            convert(weights, 'mmseg-ddrnet', reverse=True))
    ours.load_state_dict(
        convert(upstream.state_dict(), 'mmseg-ddrnet'), strict=False)
    return dict(zip(PLAIN, (upstream, ours)))


def randomize(model: nn.Module) -> None:
    """Weights and statistics that keep activations in a sane range."""
    torch.manual_seed(0)
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight)
        elif isinstance(module, _BatchNorm):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 1.5)


def read_image(models: dict, args: argparse.Namespace) -> tuple[Tensor, dict]:
    """The network's input, as the model's own preprocessor makes it."""
    height, width = args.size
    if args.image:
        picture = cv2.resize(read_picture(args.image), (width, height))
    else:
        picture = np.random.default_rng(0).integers(0, 256, (height, width, 3),
                                                    np.uint8)
    sample = SegDataSample(
        metainfo=dict(ori_shape=(height, width), img_shape=(height, width)))
    tensor = torch.from_numpy(picture.transpose(2, 0, 1).copy())
    data = list(models.values())[-1].data_preprocessor.cpu()(
        dict(inputs=[tensor], data_samples=[sample]))
    return data['inputs'].to(args.device), data['data_samples'][0].metainfo


def make_step(name: str, models: dict, image: Tensor, meta: dict,
              args: argparse.Namespace) -> Callable[[], Tensor]:
    """From the image to labels ``(H, W)``."""
    if name in models:
        model = models[name].to(args.device)

        def step() -> Tensor:
            sample = SegDataSample(metainfo=meta)
            return model.predict(image, [sample])[0].pred_sem_seg.data[0]

        return step
    backend, precision = FORMS[name]
    model = list(models.values())[-1]
    if precision == 'int8':
        network, _ = load_engine(backend)(Path(args.int8), args.device, None,
                                          args.threads)
    else:
        network = accelerate(model, image.shape[2:], precision, backend,
                             args.device, args.threads)
    head = model.decode_head
    return lambda: labels(
        network(image),
        meta.get('pad_shape', meta['img_shape'])[:2],
        meta.get('img_padding_size', (0, 0, 0, 0)),
        meta['ori_shape'],
        align_corners=head.align_corners,
        threshold=head.threshold)[0]


def memory_of(name: str, threads: int, env: dict[str, str]) -> int:
    """Bytes that a process of its own takes at most for one form."""
    done = subprocess.run([
        sys.executable, *sys.argv, '--memory-of', name, '--threads',
        str(threads)
    ],
                          env=os.environ | env,
                          capture_output=True,
                          text=True,
                          check=True)
    return int(re.search(r'^peak: (\d+)$', done.stdout, re.M)[1])


def peak_memory(step: Callable, device: str) -> int:
    """Bytes above what the process holds with the model ready to run."""
    if device != 'cpu':
        before = torch.cuda.memory_allocated()
        torch.cuda.reset_peak_memory_stats()
    else:
        gc.collect()
        trim = getattr(ctypes.CDLL(None), 'malloc_trim', None)
        if trim:  # glibc keeps what is freed, and would hide it
            trim(0)
        before = status('VmRSS')
        with open('/proc/self/clear_refs', 'w') as file:
            file.write('5')  # VmHWM begins again from here
    with torch.inference_mode():
        step()
    after = status('VmHWM') if device == 'cpu' else \
        torch.cuda.max_memory_allocated()
    return after - before


def status(field: str) -> int:
    with open('/proc/self/status') as file:
        return 1024 * int(re.search(rf'{field}:\s+(\d+) kB', file.read())[1])


if __name__ == '__main__':
    main()

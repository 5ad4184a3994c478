# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
r"""Time DDRNet-23-slim here against MMSegmentation's, with equal weights.

    python tools/analysis_tools/compare_upstream.py --threads 1 \
        --checkpoint ours.pth --image street.png

A normalised image becomes full-size labels: by `predict` of MMSegmentation's
own DDRNet, by `predict` of ours, and by `mmhires.deploy.accelerate` and
`labels`. All take turns in one process; ratios are those of the medians. Peak
memory is the resident set of a process of its own for each, above what it was
when the model was ready to run; memory in use is the same where glibc is told
not to keep blocks of 1 MiB and more that were freed. Without a checkpoint
weights and statistics are random, so that the labels are noise and agree less
than trained ones.
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

import cv2
import numpy as np
import torch
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
from mmhires.registry import MODELS

UPSTREAM = ('mmseg::ddrnet/'
            'ddrnet_23-slim_in1k-pre_2xb6-120k_cityscapes-1024x1024.py')
HEAD = dict(
    type='mmhires.DAPPMHead', in_channels=[128, 512], channels=64,
    loss_decode=dict(type='CrossEntropyLoss'))
# By name: precision and backend of `accelerate`.
FORMS = {
    'ours, fp32': ('fp32', 'torch'),
    'ours, fp32, ONNX Runtime': ('fp32', 'onnxruntime'),
    'ours, bf16': ('bf16', 'torch'),
    'ours, fp16': ('fp16', 'torch'),
}
PLAIN = ('mmseg predict', 'ours, predict')
# glibc then keeps no freed block of 1 MiB or more, which costs much time.
RETURN_AT_ONCE = dict(MALLOC_MMAP_THRESHOLD_=str(2**20))


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--checkpoint', help='of our DDRNet-23-slim')
    parser.add_argument('--image', help='picture, resized; default: noise')
    parser.add_argument(
        '--size', nargs=2, type=int, default=[1024, 2048],
        metavar=('H', 'W'))
    parser.add_argument(
        '--forms', nargs='+', choices=FORMS, default=list(FORMS)[:3])
    parser.add_argument('--repeats', type=int, default=10)
    parser.add_argument('--warmup', type=int, default=2)
    parser.add_argument('--threads', type=int)
    parser.add_argument('--device', default='cpu')
    parser.add_argument('--memory-of', help=argparse.SUPPRESS)
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    if args.threads:
        torch.set_num_threads(args.threads)
    init_default_scope('mmseg')
    models = build_models(args.checkpoint)
    image = read_image(args).to(args.device)
    if args.memory_of:
        print(f'peak: {peak_memory(args.memory_of, models, image, args)}')
        return
    steps = {
        name: make_step(name, models, image, args)
        for name in (*PLAIN, *args.forms)
    }
    with torch.inference_mode():
        found = {name: step() for name, step in steps.items()}
        times = measure_in_turns(
            steps,
            args.repeats,
            args.warmup,
            args.device,
            track=partial(track_iter_progress, file=sys.stderr))
    table = Table('', 'ms', 'quartiles', 'faster', 'equal labels', 'peak MiB',
                  'in use, MiB')
    first = PLAIN[0]
    memory = {
        name: [memory_of(name, env) for env in ({}, RETURN_AT_ONCE)]
        for name in steps
    }
    for name, time in times.items():
        equal = (found[name] == found[first]).double().mean().item()
        table.add_row(
            name, f'{time.median:.0f}', f'{time.low:.0f} - {time.high:.0f}',
            f'{times[first].median / time.median:.2f}x', f'{equal:.4%}',
            *(f'{peak / 2**20:.0f} (1/{upstream / max(peak, 1):.1f})'
              for peak, upstream in zip(memory[name], memory[first])))
    console = Console(width=110)
    console.print(table)
    height, width = args.size
    console.print(
        f'{height}x{width}, '
        f'{"trained" if args.checkpoint else "random"} weights, '
        f'{found[first].unique().numel()} classes found, '
        f'{device_name(args.device)}, torch {torch.__version__}')


def build_models(checkpoint: str | None) -> dict[str, nn.Module]:
    """Upstream's and our model with the same weights."""
    weights, classes = None, 19
    if checkpoint:
        weights = CheckpointLoader.load_checkpoint(checkpoint, 'cpu')
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


def read_image(args: argparse.Namespace) -> Tensor:
    """The network's input, normalised as the config says."""
    height, width = args.size
    if not args.image:
        generator = torch.Generator().manual_seed(0)
        return torch.randn(1, 3, height, width, generator=generator)
    picture = cv2.imread(args.image)
    if picture is None:
        sys.exit(f'compare_upstream.py: {args.image}: not an image that can '
                 'be decoded')
    picture = cv2.resize(picture, (width, height))[..., ::-1]
    mean, std = [123.675, 116.28, 103.53], [58.395, 57.12, 57.375]
    picture = (picture.astype(np.float32) - mean) / std
    return torch.from_numpy(
        picture.transpose(2, 0, 1)[None].astype(np.float32))


def make_step(name: str, models: dict, image: Tensor,
              args: argparse.Namespace) -> Callable[[], Tensor]:
    """From the image to labels ``(H, W)``."""
    size = tuple(args.size)
    if name in models:
        model = models[name].to(args.device)
        meta = dict(
            ori_shape=size,
            img_shape=size,
            pad_shape=size,
            padding_size=[0] * 4)

        def step() -> Tensor:
            sample = SegDataSample(metainfo=meta)
            return model.predict(image, [sample])[0].pred_sem_seg.data[0]

        return step
    precision, backend = FORMS[name]
    network = accelerate(models[PLAIN[1]], size, precision, backend,
                         args.device, args.threads)
    return lambda: labels(network(image), size)[0]


def memory_of(name: str, env: dict[str, str]) -> int:
    """Bytes that a process of its own takes at most for one form."""
    done = subprocess.run(
        [sys.executable, *sys.argv, '--memory-of', name],
        env=os.environ | env,
        capture_output=True,
        text=True,
        check=True)
    return int(re.search(r'^peak: (\d+)$', done.stdout, re.M)[1])


def peak_memory(name: str, models: dict, image: Tensor,
                args: argparse.Namespace) -> int:
    """Bytes above what the process holds with the model ready to run."""
    step = make_step(name, models, image, args)
    if args.device != 'cpu':
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
    after = status('VmHWM') if args.device == 'cpu' else \
        torch.cuda.max_memory_allocated()
    return after - before


def status(field: str) -> int:
    with open('/proc/self/status') as file:
        return 1024 * int(re.search(rf'{field}:\s+(\d+) kB', file.read())[1])


if __name__ == '__main__':
    main()

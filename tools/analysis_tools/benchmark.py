# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
r"""Time the models of configs against each other.

    python tools/analysis_tools/benchmark.py BASELINE.py OURS.py \
        --shape 512 512

The models take turns in one process, with random weights, in the inference
form, batch norm not folded into the convolutions. Preprocessing, resizing the
logits to the image and argmax are not timed. The last columns compare with the
first config. ``--image`` takes the place of ``--shape`` where the models work
on differently reduced images of one size, as HRFR and its teacher.
"""
import argparse
import os.path as osp

import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from rich.console import Console
from rich.table import Table

from mmhires.analysis import count_macs, measure_latency, network_input
from mmhires.deploy import strip
from mmhires.registry import MODELS


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description='Time models against each other')
    parser.add_argument('configs', nargs='+', help='baseline first')
    size = parser.add_mutually_exclusive_group(required=True)
    size.add_argument(
        '--shape',
        nargs=2,
        type=int,
        metavar=('H', 'W'),
        help='network input in pixels')
    size.add_argument(
        '--image',
        nargs=2,
        type=int,
        metavar=('H', 'W'),
        help='full-size image, which each model gets reduced by the scale of '
        'its data preprocessor')
    parser.add_argument('--repeats', type=int, default=20)
    parser.add_argument('--warmup', type=int, default=3)
    parser.add_argument('--device', default='cpu')
    parser.add_argument('--threads', type=int, help='of PyTorch, on a CPU')
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    if args.threads:
        torch.set_num_threads(args.threads)
    models, shapes, macs = {}, {}, {}
    for path in args.configs:
        cfg = Config.fromfile(path)
        init_default_scope(cfg.get('default_scope', 'mmseg'))
        name = osp.splitext(osp.basename(path))[0]
        models[name] = strip(MODELS.build(cfg.model))
        shapes[name] = network_input(
            models[name], args.image) if args.image else (1, 3, *args.shape)
        macs[name] = count_macs(models[name], shapes[name])
    latency = measure_latency(models, shapes, args.repeats, args.warmup,
                              args.device)
    first = next(iter(models))
    table = Table('config', 'input', 'GMACs', 'ms', 'quartiles', 'fewer MACs',
                  'faster')
    for name, time in latency.items():
        height, width = shapes[name][-2:]
        table.add_row(
            name, f'{height}x{width}', f'{macs[name] / 1e9:.3f}',
            f'{time.median:.1f}', f'{time.low:.1f} - {time.high:.1f}',
            f'{macs[first] / macs[name]:.2f}x',
            f'{latency[first].median / time.median:.2f}x')
    console = Console(width=160)
    console.print(table)
    device = f'CPU, {torch.get_num_threads()} threads'
    if args.device.startswith('cuda'):
        device = torch.cuda.get_device_name(args.device)
    console.print(f'batch of 1, float32, {device}, '
                  f'torch {torch.__version__}, {args.repeats} repeats')


if __name__ == '__main__':
    main()

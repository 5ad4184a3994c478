# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
r"""Time a model on every engine against MMSegmentation's `predict`.

    python tools/analysis_tools/compare_upstream.py --threads 2 --repeats 4 \
        --warmup 1 --calibration PICTURES --out times.json
    python tools/analysis_tools/compare_upstream.py --config CONFIG \
        --checkpoint CHECKPOINT --image street.png

A normalised image becomes full-size labels: by `predict` of the model, and by
files that mmhires.deploy.export writes, on each engine that is installed;
"labels inside" are those whose resize and argmax are part of the file. Without
--config it is DDRNet-23-slim, and the first is `predict` of MMSegmentation's
own with equal weights; without a checkpoint they are random, so that the
labels are noise and agree less than trained ones. int8 has all layers in
integers, whatever that does to the labels: the file of
`tools/deployment/export.py --precision int8` may keep some in float.

All take turns in one process; ratios are those of the medians. Memory is the
peak of the resident set of a process of its own for each, above what it was
when the model was ready to run; glibc is told not to keep blocks of 1 MiB and
more that were freed.
"""
import argparse
import ctypes
import gc
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from zlib import crc32

import cv2
import mmcv
import numpy as np
import torch
from mmengine.config import Config
from mmengine.fileio import dump
from mmengine.hub import get_config
from mmengine.model import revert_sync_batchnorm
from mmengine.registry import init_default_scope
from mmengine.runner import CheckpointLoader
from mmengine.utils import track_iter_progress
from mmseg.structures import SegDataSample
from rich.console import Console
from rich.table import Table
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from mmhires.analysis import device_name, measure_in_turns
from mmhires.apis.overlay import find_inputs
from mmhires.converters import convert
from mmhires.deploy import Predictor, export
from mmhires.deploy.quantize import quantize
from mmhires.registry import MODELS
from mmhires.utils.images import read_image
from mmhires.zoo import load_model

UPSTREAM = ('mmseg::ddrnet/'
            'ddrnet_23-slim_in1k-pre_2xb6-120k_cityscapes-1024x1024.py')
HEAD = dict(
    type='mmhires.DAPPMHead',
    in_channels=[128, 512],
    channels=64,
    loss_decode=dict(type='CrossEntropyLoss'))
# By name: engine, precision to compute in, and file.
FORMS = {
    f'{runtime} {precision}{end}': (runtime, precision, file)
    for runtime, precisions, files in (('openvino', ('fp32', 'bf16', 'int8'),
                                        ('logits.onnx', 'labels.onnx')),
                                       ('onnxruntime', ('fp32', 'int8'),
                                        ('logits.onnx', 'labels.onnx')),
                                       ('torch', ('fp32', 'bf16'),
                                        ('logits.pt2', )))
    for precision in precisions
    for end, file in zip(('', ', labels inside'), files)
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
    parser.add_argument(
        '--calibration', help='pictures for int8, a folder; default: noise')
    parser.add_argument('--out', help='.json file for the results')
    parser.add_argument('--image', help='picture, resized; default: noise')
    parser.add_argument(
        '--size', nargs=2, type=int, default=[1024, 2048], metavar=('H', 'W'))
    parser.add_argument(
        '--forms',
        nargs='+',
        choices=FORMS,
        metavar='FORM',
        help='default: all that are installed')
    parser.add_argument('--repeats', type=int, default=10)
    parser.add_argument('--warmup', type=int, default=2)
    parser.add_argument('--threads', nargs='+', type=int)
    # of the processes that weigh: what, and where the files are
    parser.add_argument('--memory-of', help=argparse.SUPPRESS)
    parser.add_argument('--files', help=argparse.SUPPRESS)
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    init_default_scope('mmseg')
    args.forms = args.forms or [
        name for name, (runtime, *_) in FORMS.items() if find_spec(runtime)
    ]
    if args.memory_of:
        torch.set_num_threads(args.threads[0])
        models = {} if args.memory_of in FORMS else build_models(args)
        step = make_step(args.memory_of, models, Path(args.files), args)
        print(f'peak: {peak_memory(step)}')
        return
    found = []
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        models = build_models(args)
        write_files(list(models.values())[-1], folder, args)
        for threads in args.threads or [torch.get_num_threads()]:
            torch.set_num_threads(threads)
            args.threads = [threads]
            found += measure(models, folder, args)
    machine = dict(
        size='x'.join(map(str, args.size)),
        weights='trained' if args.checkpoint else 'random',
        calibration=args.calibration or 'noise',
        device=device_name(),
        flags=sorted(set(FLAGS.findall(Path('/proc/cpuinfo').read_text()))),
        versions={
            name: version(name)
            for name in ('torch', 'onnxruntime', 'openvino') if find_spec(name)
        })
    table = Table('', 'threads', 'ms', 'quartiles', 'faster', 'equal labels',
                  'MiB')
    for row in found:
        table.add_row(row['form'], str(row['threads']), f'{row["ms"]:.0f}',
                      '{:.0f} - {:.0f}'.format(*row['quartiles']),
                      f'{row["faster"]:.2f}x', f'{row["equal"]:.4%}',
                      f'{row["memory"]:.0f}')
    console = Console(width=110)
    console.print(table)
    console.print(', '.join(f'{key} {value}'
                            for key, value in machine.items()))
    if args.out:
        dump(dict(machine, results=found), args.out)


def write_files(model: nn.Module, folder: Path,
                args: argparse.Namespace) -> None:
    """The picture, and the files that the forms need."""
    picture = write_picture(args.image, folder / 'picture.png', args.size)
    found = find_inputs(args.calibration) if args.calibration else [None] * 4
    calibration = [
        write_picture(source, folder / f'calibration{number}.png', args.size)
        for number, source in enumerate(found[::-(-len(found) // 8)])
    ]
    needed = {FORMS[name][1:] for name in args.forms}
    for name in sorted({file for _, file in needed}):
        print(f'export {name}', file=sys.stderr)
        file = folder / name
        export(model, file, [picture], labels='labels' in name)
        if ('int8', name) in needed:
            quantize(file, file.with_stem(f'{file.stem}-int8'), calibration,
                     lambda predictor: 0)


def write_picture(source: str | None, file: Path, size: list[int]) -> Path:
    """A picture file, or noise that its name decides, at a size."""
    picture = cv2.resize(read_image(source), size[::-1]) if source else \
        np.random.default_rng(crc32(file.name.encode())).integers(
            0, 256, (*size, 3), np.uint8)
    mmcv.imwrite(picture, str(file))
    return file


def measure(models: dict, folder: Path,
            args: argparse.Namespace) -> list[dict]:
    """A row of the table for each form, at one number of threads."""
    steps = {
        name: make_step(name, models, folder, args)
        for name in (*models, *args.forms)
    }
    with torch.inference_mode():
        labels_of = {name: step() for name, step in steps.items()}
        times = measure_in_turns(
            steps,
            args.repeats,
            args.warmup,
            track=partial(track_iter_progress, file=sys.stderr))
    first = next(iter(models))
    with ThreadPoolExecutor(2) as pool:
        memory = pool.map(lambda name: memory_of(name, folder, args), steps)
    return [
        dict(
            form=name,
            threads=args.threads[0],
            ms=time.median,
            quartiles=[time.low, time.high],
            faster=times[first].median / time.median,
            equal=float((labels_of[name] == labels_of[first]).mean()),
            memory=peak / 2**20)
        for (name, time), peak in zip(times.items(), memory)
    ]


def build_models(args: argparse.Namespace) -> dict[str, nn.Module]:
    """The model, or upstream's and our DDRNet with the same weights."""
    if args.config:
        models = dict(predict=load_model(args.config, args.checkpoint, 'cpu'))
    else:
        models = dict(zip(PLAIN, build_ddrnets(args)))
    for model in models.values():
        # The picture has the size that is timed.
        model.cfg.test_pipeline = [
            dict(type='LoadImageFromFile'),
            dict(type='PackSegInputs')
        ]
    return models


def build_ddrnets(args: argparse.Namespace) -> tuple[nn.Module, nn.Module]:
    weights, classes = None, 19
    if args.checkpoint:
        found = CheckpointLoader.load_checkpoint(args.checkpoint, 'cpu')
        weights = {
            key: value
            for key, value in found.get('state_dict', found).items()
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
    for model in (upstream, ours):
        model.cfg = Config()
        model.dataset_meta = dict(
            classes=list(map(str, range(classes))),
            palette=[[0, 0, 0]] * classes)
    return upstream, ours


def randomize(model: nn.Module) -> None:
    """Weights and statistics that keep activations in a sane range."""
    torch.manual_seed(0)
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight)
        elif isinstance(module, _BatchNorm):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 1.5)


def make_step(name: str, models: dict, folder: Path,
              args: argparse.Namespace) -> Callable[[], np.ndarray]:
    """From the normalised image to labels ``(H, W)``."""
    picture = folder / 'picture.png'
    if name in models:
        model = models[name]
        image = torch.from_numpy(read_image(picture).transpose(2, 0, 1).copy())
        sample = SegDataSample(
            metainfo=dict(ori_shape=args.size, img_shape=args.size))
        data = model.data_preprocessor(
            dict(inputs=[image], data_samples=[sample]))
        meta = data['data_samples'][0].metainfo

        def step() -> np.ndarray:
            sample = model.predict(data['inputs'],
                                   [SegDataSample(metainfo=meta)])[0]
            return sample.pred_sem_seg.data[0].cpu().numpy()

        return step
    runtime, precision, file = FORMS[name]
    file = folder / file
    if precision == 'int8':
        file, precision = file.with_stem(f'{file.stem}-int8'), None
    predictor = Predictor(file, 'cpu', args.threads[0], runtime, precision)
    job = predictor.prepare(picture)
    return lambda: predictor.finish(*predictor.run([job]))


def memory_of(name: str, folder: Path, args: argparse.Namespace) -> int:
    """Bytes that a process of its own takes at most for one form."""
    done = subprocess.run([
        sys.executable, *sys.argv, '--memory-of', name, '--files', folder,
        '--threads',
        str(args.threads[0])
    ],
                          env=os.environ | RETURN_AT_ONCE,
                          capture_output=True,
                          text=True,
                          check=True)
    return int(re.search(r'^peak: (\d+)$', done.stdout, re.M)[1])


def peak_memory(step: Callable) -> int:
    """Bytes above what the process holds with the model ready to run."""
    gc.collect()
    trim = getattr(ctypes.CDLL(None), 'malloc_trim', None)
    if trim:  # glibc keeps what is freed, and would hide it
        trim(0)
    before = status('VmRSS')
    Path('/proc/self/clear_refs').write_text('5')  # VmHWM begins again
    with torch.inference_mode():
        step()
    return status('VmHWM') - before


def status(field: str) -> int:
    text = Path('/proc/self/status').read_text()
    return 1024 * int(re.search(rf'{field}:\s+(\d+) kB', text)[1])


if __name__ == '__main__':
    main()

# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
r"""Time a model on every engine against MMSegmentation's `predict`.

    compare_upstream.py --threads 2 --calibration PICTURES --out times.json
    compare_upstream.py --config CONFIG --checkpoint CHECKPOINT

A normalised image becomes full-size labels: by `predict` of the model, and by
files that mmhires.deploy.export writes, on each engine that is installed;
"labels inside" are those whose resize and argmax are part of the file. Without
--config it is DDRNet-23-slim, and the first is `predict` of MMSegmentation's
own with equal weights; without a checkpoint they are random, so that the
labels are noise and agree less than trained ones. int8 has all layers in
integers, where `mmhires export --precision int8` may keep some in float.

All take turns in one process; ratios are those of the medians. Memory is the
peak of the resident set of a process for each, above that when the model was
ready to run; glibc is told to keep no freed blocks of 1 MiB and more.
"""

import argparse
import ctypes
import gc
import os
import re
import tempfile
from collections.abc import Callable
from importlib.metadata import version
from importlib.util import find_spec
from itertools import repeat
from pathlib import Path
from typing import TYPE_CHECKING
from zlib import crc32

import cv2
import numpy as np

from mmhires.cli import Help, Parser
from mmhires.utils.images import read_image, write_image
from mmhires.utils.inputs import find_inputs
from mmhires.utils.processes import process_pool
from mmhires.utils.progress import track

# What takes seconds to import is imported where it is used, after --help.
if TYPE_CHECKING:
    from torch import nn

UPSTREAM = 'mmseg::ddrnet/ddrnet_23-slim_in1k-pre_2xb6-120k_cityscapes-1024x1024.py'
OURS = 'ddrnet/ddrnet-23-slim_4xb3-120k_cityscapes-1024x1024.py'
ONNX, PT2 = ('logits.onnx', 'labels.onnx'), ('logits.pt2',)
ENGINES = dict(
    openvino=('fp32 bf16 int8', ONNX), onnxruntime=('fp32 int8', ONNX), torch=('fp32 bf16', PT2)
)
# By name: engine, precision to compute in, and file.
FORMS = {
    f'{runtime} {precision}{end}': (runtime, precision, file)
    for runtime, (precisions, files) in ENGINES.items()
    for precision in precisions.split()
    for end, file in zip(('', ', labels inside'), files)
}
# What of a processor's abilities decides which kernels run.
FLAGS = re.compile(r'\b(avx\w*|amx\w*|fma|f16c|asimd\w*|sve\w*|i8mm|bf16)\b')


def parse_args() -> argparse.Namespace:
    parser = Parser(description=__doc__, formatter_class=Help)
    add = parser.add_argument
    add('--config', help='default: DDRNet-23-slim')
    add('--checkpoint', help='of the config')
    add('--calibration', help='pictures for int8, a folder; default: noise')
    add('--out', help='.json file for the results')
    add('--image', help='picture, resized; default: noise')
    add('--size', nargs=2, type=int, default=[1024, 2048], metavar=('H', 'W'))
    add(
        '--forms',
        nargs='+',
        choices=FORMS,
        metavar='FORM',
        default=[name for name in FORMS if find_spec(name.split()[0])],
        help='those that are installed',
    )
    add('--repeats', type=int, default=10)
    add('--warmup', type=int, default=2)
    add('--threads', nargs='+', type=int)
    return parser.parse_args()


def main() -> None:
    args, found = parse_args(), []
    import torch
    from mmengine.fileio import dump
    from rich.console import Console
    from rich.table import Table

    from mmhires.analysis import device_name

    # glibc keeps no freed block of 1 MiB or more in the processes that weigh.
    os.environ['MALLOC_MMAP_THRESHOLD_'] = str(2**20)
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        models = build_models(args)
        write_files(list(models.values())[-1], folder, args)
        for threads in args.threads or [torch.get_num_threads()]:
            torch.set_num_threads(threads)
            found += measure(models, folder, threads, args)
    machine = dict(
        size='x'.join(map(str, args.size)),
        weights='trained' if args.checkpoint else 'random',
        calibration=args.calibration or 'noise',
        device=device_name(),
        flags=sorted(set(FLAGS.findall(Path('/proc/cpuinfo').read_text()))),
        versions={name: version(name) for name in ENGINES if find_spec(name)},
    )
    if args.out:
        dump(dict(machine, results=found), args.out)
    table = Table('', 'threads', 'ms', 'quartiles', 'faster', 'equal labels', 'MiB')
    for row in found:
        table.add_row(
            row['form'],
            str(row['threads']),
            f'{row["ms"]:.0f}',
            '{:.0f} - {:.0f}'.format(*row['quartiles']),
            f'{row["faster"]:.2f}x',
            f'{row["equal"]:.4%}',
            f'{row["memory"]:.0f}',
        )
    about = ', '.join(f'{key} {value}' for key, value in machine.items())
    Console(width=110).print(table, about)


def write_files(model: 'nn.Module', folder: Path, args: argparse.Namespace) -> None:
    """The picture, and the files that the forms need."""
    from mmhires.deploy import export
    from mmhires.deploy.quantize import quantize

    picture = write_picture(args.image, folder / 'picture.png', args.size)
    found = find_inputs(args.calibration) if args.calibration else [None] * 4
    calibration = [
        write_picture(source, folder / f'calibration{number}.png', args.size)
        for number, source in enumerate(found[:: -(-len(found) // 8)])
    ]
    needed = {FORMS[name][1:] for name in args.forms}
    for name in track(sorted({file for _, file in needed}), text='export'):
        file = folder / name
        export(model, file, [picture], labels='labels' in name)
        if ('int8', name) in needed:
            quantize(file, file.with_stem(f'{file.stem}-int8'), calibration, lambda predictor: 0)


def write_picture(source: str | None, file: Path, size: list[int]) -> Path:
    """A picture file, or noise that its name decides, at a size."""
    picture = (
        cv2.resize(read_image(source), size[::-1])
        if source
        else np.random.default_rng(crc32(file.name.encode())).integers(0, 256, (*size, 3), np.uint8)
    )
    write_image(picture, file)
    return file


def measure(models: dict, folder: Path, threads: int, args: argparse.Namespace) -> list[dict]:
    """A row of the table for each form, at one number of threads."""
    import torch

    from mmhires.analysis import measure_in_turns

    steps = {name: make_step(name, models, folder, threads) for name in (*models, *args.forms)}
    with torch.inference_mode():
        labels_of = {name: step() for name, step in steps.items()}
        times = measure_in_turns(steps, args.repeats, args.warmup)
    first = next(iter(models))
    # A process each, as what one has freed would hide what the next takes.
    with process_pool(2, fresh=True) as pool:
        memory = pool.map(peak_memory, steps, repeat(folder), repeat(threads), repeat(args))
    return [
        dict(
            form=name,
            threads=threads,
            ms=time.median,
            quartiles=[time.low, time.high],
            faster=times[first].median / time.median,
            equal=float((labels_of[name] == labels_of[first]).mean()),
            memory=peak / 2**20,
        )
        for (name, time), peak in zip(times.items(), memory)
    ]


def build_models(args: argparse.Namespace) -> dict[str, 'nn.Module']:
    """The model, or upstream's and our DDRNet with the same weights."""
    from mmengine.registry import init_default_scope

    from mmhires.zoo import load_model

    init_default_scope('mmseg')
    if args.config:
        models = dict(predict=load_model(args.config, args.checkpoint, 'cpu'))
    else:
        models = build_ddrnets(args.checkpoint)
    for model in models.values():
        # The picture has the size that is timed.
        model.cfg.test_pipeline = [dict(type='LoadImageFromFile'), dict(type='PackSegInputs')]
    return models


def build_ddrnets(checkpoint: str | None) -> dict[str, 'nn.Module']:
    """MMSegmentation's DDRNet-23-slim and ours, with the same weights."""
    from mmengine.config import Config
    from mmengine.hub import get_config
    from mmengine.model import revert_sync_batchnorm
    from mmengine.runner import CheckpointLoader

    from mmhires.converters import convert
    from mmhires.registry import MODELS
    from mmhires.zoo.published import config_folder

    weights, classes, models = None, 19, []
    if checkpoint:
        found = CheckpointLoader.load_checkpoint(checkpoint, 'cpu')
        weights = found.get('state_dict', found)
        classes = len(weights['decode_head.conv_seg.weight'])
    for cfg in (get_config(UPSTREAM), Config.fromfile(config_folder() / OURS)):
        cfg.model.data_preprocessor.pop('size')
        for head in cfg.model.keys() & {'decode_head', 'auxiliary_head'}:
            cfg.model[head].num_classes = classes
        model = revert_sync_batchnorm(MODELS.build(cfg.model)).eval()
        model.cfg = cfg
        model.dataset_meta = dict(
            classes=list(map(str, range(classes))), palette=[[0, 0, 0]] * classes
        )
        models.append(model)
    upstream, ours = models
    if weights:
        ours.load_state_dict(weights)
    else:
        randomize(ours)
    upstream.load_state_dict(convert(ours.state_dict(), 'mmseg-ddrnet', reverse=True))
    return {'mmseg predict': upstream, 'ours, predict': ours}


def randomize(model: 'nn.Module') -> None:
    """Weights and statistics that keep activations in a sane range."""
    import torch
    from torch import nn
    from torch.nn.modules.batchnorm import _BatchNorm

    torch.manual_seed(0)
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight)
        elif isinstance(module, _BatchNorm):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 1.5)


def make_step(name: str, models: dict, folder: Path, threads: int) -> Callable[[], np.ndarray]:
    """From the normalised image to labels ``(H, W)``."""
    import torch
    from mmseg.structures import SegDataSample

    from mmhires.deploy import Predictor

    picture = folder / 'picture.png'
    if name in models:
        model = models[name]
        image = torch.from_numpy(read_image(picture).transpose(2, 0, 1).copy())
        size = tuple(image.shape[1:])
        sample = SegDataSample(metainfo=dict(ori_shape=size, img_shape=size))
        data = model.data_preprocessor(dict(inputs=[image], data_samples=[sample]))
        return lambda: model.predict(**data)[0].pred_sem_seg.data[0].numpy()
    runtime, precision, file = FORMS[name]
    file = folder / file
    if precision == 'int8':
        file, precision = file.with_stem(f'{file.stem}-int8'), None
    predictor = Predictor(file, 'cpu', threads, runtime, precision)
    job = predictor.prepare(picture)
    return lambda: predictor.finish(*predictor.run([job]))


def peak_memory(name: str, folder: Path, threads: int, args: argparse.Namespace) -> int:
    """Bytes above what this process holds with a form ready to run."""
    import torch

    torch.set_num_threads(threads)
    models = {} if name in FORMS else build_models(args)
    step = make_step(name, models, folder, threads)
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)  # glibc keeps what is freed
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

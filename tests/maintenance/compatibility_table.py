# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
r"""Try adapting and exporting upstream's networks; write the table of it.

    nice python tests/maintenance/compatibility_table.py --threads 1

Networks are chosen by a rule: the first config of each folder of
MMSegmentation, five encoders of timm and MMPretrain (``encoders.py``), the
first of each backbone among MMPose's top-down heatmaps of COCO at 256x192, and
there all of SimCC and RTMPose-t, -s and -m. A child config counts if its model
predicts and trains ten steps with the config's own optimizer in which the
losses are finite and fall, which ``adapt`` tries before it gives one: some 20
seconds of a CPU for a ResNet-101 and a method. A file counts if it predicts
what the model does, with random weights, on a drawn street. Broken off, it
goes on where it was.
"""

import argparse
import contextlib
import json
import re
import sys
import tempfile
import time
from collections.abc import Iterator
from importlib import import_module
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import mmcv
import torch
from encoders import ENCODERS, write_config
from mmengine.config import Config
from mmengine.registry import DATASETS
from torch import nn

from mmhires.adapt import AdaptError, adapt
from mmhires.datasets import StreetsDataset
from mmhires.deploy import export
from mmhires.deploy.quantize import quantize
from mmhires.dryrun.meta_device import without_weights
from mmhires.utils.errors import first_line
from mmhires.utils.quiet import silence

TABLE = Path(__file__).resolve().parents[2] / 'configs/compatibility.md'
METHODS = ('dsrl', 'hrfr', 'jpu')
POSE = 'body_2d_keypoint/topdown_heatmap/coco'
BINS = (
    'body_2d_keypoint/simcc/coco/simcc_*256x192.py',
    'body_2d_keypoint/rtmpose/coco/rtmpose-[tsm]_*_coco-256x192.py',
)
FILES = {
    '.onnx': ('fp32.onnx', {}),
    '.pt2': ('fp32.pt2', {}),
    'dynamic': ('dynamic.onnx', dict(dynamic=True)),
}
SIZE = (128, 256)
# How to write a config such as those of encoders.py.
EXAMPLE = """## A config with an encoder of timm

`pip install --no-deps timm`; MMPretrain is among MMSegmentation's
requirements.

```python
_base_ = 'mmseg::pspnet/pspnet_r50-d8_4xb2-80k_cityscapes-512x1024.py'
custom_imports = dict(
    imports=['mmpretrain.models', 'mmhires'], allow_failed_imports=False)
model = dict(
    pretrained=None,
    backbone=dict(
        _delete_=True, type='mmpretrain.TIMMBackbone', model_name='resnet18',
        features_only=True, pretrained=True, output_stride=8,
        out_indices=(1, 2, 3, 4)),
    decode_head=dict(in_channels=512),
    auxiliary_head=dict(in_channels=256))
```

`mmhires check` names the widths that are wrong. `pretrained=True` also needs
`huggingface_hub`. Transformers of one image size need `dynamic_img_size=True`
(ViT) or `strict_img_size=False` (Swin), to see reduced images, too. JPU goes
where `output_stride=8` makes a network dilated."""


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Try the methods on upstream's networks")
    parser.add_argument(
        '--state',
        default='work_dirs/compatibility_table.json',
        help='what is done so far (default: %(default)s)',
    )
    parser.add_argument('--threads', type=int, help='of PyTorch')
    return parser.parse_args()


def networks() -> dict[str, list[str]]:
    """Methods to try, by config."""
    root = Path(find_spec('mmseg').origin).parent / '.mim/configs'
    firsts = [
        min(folder.glob('*.py'))
        for folder in sorted(root.iterdir())
        if folder.name[0] != '_' and any(folder.glob('*.py'))
    ]
    tried = {f'mmseg::{path.relative_to(root)}': list(METHODS) for path in firsts}
    tried |= {f'encoder::{row}': list(METHODS) for row in ENCODERS}
    root = Path(find_spec('mmpose').origin).parent / '.mim/configs'
    backbones = set()
    for path in sorted((root / POSE).glob('td-hm_*256x192.py')):
        backbone = Config.fromfile(path, import_custom_modules=False).model.backbone.type
        if backbone not in backbones:
            tried[f'mmpose::{path.relative_to(root)}'] = ['dsrl']
        backbones.add(backbone)
    for pattern in BINS:
        for path in sorted(root.glob(pattern)):
            if 'aic' not in path.name:
                tried[f'mmpose::{path.relative_to(root)}'] = ['dsrl']
    return tried


def result(method: str, config: str) -> dict:
    """What adapt gives: the line of SISRHead, or why there is none."""
    # HRFR wants weights of a teacher; without the file they are random.
    teacher = 'full_size.pth' if method == 'hrfr' else None
    try:
        text = adapt(method, config, teacher_ckpt=teacher)
    except AdaptError as error:
        return dict(works=False, says=str(error))
    lines = [line.strip(' ,)') for line in text.splitlines()]
    says = next((line for line in lines if 'upscale=' in line), '')
    return dict(works=True, says=says)


def network(config: str) -> nn.Module:
    """An upstream network with random weights, for small images."""
    cfg = Config.fromstring(f'_base_ = {config!r}', '.py')
    scope = cfg.default_scope
    cfg.model = without_weights(cfg.model)
    if scope == 'mmseg':
        test = cfg.model.test_cfg
        size = test.get('crop_size', SIZE) if test.mode == 'slide' else SIZE
        cfg.model.test_cfg = dict(mode='whole')
        for step in cfg.test_pipeline:
            if step['type'] == 'Resize':
                step['scale'] = tuple(size[::-1])
    torch.manual_seed(0)
    model = import_module(f'{scope}.apis').init_model(cfg, device='cpu')
    dataset = DATASETS.get(f'{scope}.{cfg.dataset_type}')
    if scope == 'mmseg':
        model.dataset_meta = dataset.METAINFO
    return model


@contextlib.contextmanager
def noting(found: dict[str, str], *kinds: str) -> Iterator[None]:
    """Keep why the block fails, in a line, for some kinds; empty if not."""
    why_not = ''
    try:
        yield
    except Exception as error:  # of upstream's networks, whatever they raise
        why_not = first_line(error)
    found.update(dict.fromkeys(kinds, why_not))


def files(config: str) -> dict[str, str]:
    """Why a network has no file of each kind; empty where it has."""
    kinds, found = dict(FILES), {}
    if config.startswith('mmpose'):
        del kinds['dynamic']
    with tempfile.TemporaryDirectory() as folder, silence():
        with noting(found, *kinds, 'int8'):
            model = network(config)
        if found['int8']:
            return found
        folder = Path(folder)
        street = StreetsDataset(size=SIZE, length=1, pipeline=[])[0]['img']
        picture = folder / 'street.png'
        mmcv.imwrite(street, str(picture))
        for kind, (name, options) in kinds.items():
            with noting(found, kind):
                export(model, folder / name, [picture], **options)
            found[kind] = found[kind].replace(f'{folder}/', '')
        if found['.onnx']:
            found['int8'] = 'there is no .onnx to make it of'
            return found
        with noting(found, 'int8'):
            # Of random weights only that the file can be made and run.
            quantize(
                folder / 'fp32.onnx',
                folder / 'int8.onnx',
                [picture],
                lambda predictor: float(predictor(picture) is not None),
            )
    return found


def main() -> None:
    args = parse_args()
    if args.threads:
        torch.set_num_threads(args.threads)
    state = Path(args.state)
    done = json.loads(state.read_text()) if state.is_file() else {}
    folder = (state.parent / 'encoders').absolute()
    folder.mkdir(parents=True, exist_ok=True)
    tried = networks()
    for config, methods in tried.items():
        file = config
        if config.startswith('encoder::'):
            file = str(write_config(config.removeprefix('encoder::'), folder))
        for what in (*methods, 'files'):
            key = f'{what} {config}'
            if key not in done:
                done[key] = files(file) if what == 'files' else result(what, file)
                state.write_text(json.dumps(done, indent=0))
                sys.stdout.write(f'{key} {done[key]}\n')
                sys.stdout.flush()
    TABLE.write_text(table(tried, done))
    sys.stdout.write(f'{TABLE}\n')


def table(tried: dict, done: dict) -> str:
    """The page."""
    lines = [
        '# Which networks take which method, and which file',
        '',
        'Written by `python tests/maintenance/compatibility_table.py` on '
        f'{time.strftime("%Y-%m-%d")} with MMSegmentation '
        f'{version("mmsegmentation")}, MMPose {version("mmpose")}, torch '
        f'{torch.__version__}. Tried is the first config of each folder of '
        'MMSegmentation, five encoders of '
        f'timm {version("timm")} and MMPretrain {version("mmpretrain")} as '
        '`tests/maintenance/encoders.py` writes their configs, the first of '
        'each backbone among the top-down heatmaps of COCO at 256x192 of '
        'MMPose, and there all of SimCC and RTMPose-t, -s and -m. "yes" under '
        'a method: the '
        'child config that `python -m mmhires adapt METHOD CONFIG` gives '
        'predicts, and trains ten steps on two small images, from random '
        "weights, with the config's own optimizer at its full learning rate: "
        'all losses are finite, and the mean of the last three totals is '
        'below the first. "yes" under a file: '
        '`tools/deployment/export.py` writes it of the network as it is, at '
        f'{SIZE[0]}x{SIZE[1]} (at the crop size if the config tests by '
        'sliding windows), and it predicts the labels of the model, with '
        'random weights; of int8 only that the file is made and runs. A '
        'number leads to why not.',
        '',
    ]
    reasons = {}

    def cell(why_not: str) -> str:
        if not why_not:
            return 'yes'
        number = reasons.setdefault(why_not, len(reasons) + 1)
        return f'[{number}](#why-not)'

    for package, title, methods, kinds in (
        ('mmseg', 'Segmentation', list(METHODS), [*FILES, 'int8']),
        ('encoder', 'Encoders', list(METHODS), [*FILES, 'int8']),
        ('mmpose', 'Pose', ['dsrl'], ['.onnx', '.pt2', 'int8']),
    ):
        configs = [name for name in tried if name.startswith(package)]
        working = [
            name for name in configs if any(done[f'{method} {name}']['works'] for method in methods)
        ]
        exported = [name for name in configs if not done[f'files {name}']['.onnx']]
        heads = (*map(str.upper, methods), *kinds, 'of `SISRHead`')
        lines += [
            f'## {title}',
            '',
            f'{len(working)} of {len(configs)} networks '
            f'take at least one method, of {len(exported)} there is an '
            '`.onnx`.',
            '',
            f'| config | {" | ".join(heads)} |',
            '|---' * (len(heads) + 1) + '|',
        ]
        for name in configs:
            results = [done[f'{method} {name}'] for method in methods]
            cells = [cell('' if one['works'] else one['says']) for one in results] + [
                cell(done[f'files {name}'][kind]) for kind in kinds
            ]
            line = next((f'`{one["says"]}`' for one in results if one['works'] and one['says']), '')
            short = name.split('::')[1].rpartition('/coco/')[2]
            short = short.removesuffix('.py')
            lines.append(f'| {short} | {" | ".join(cells)} | {line} |')
        lines.append('')
    lines += [*EXAMPLE.splitlines(), '', '## Why not', '']
    for reason, number in reasons.items():
        # PyTorch's exporter quotes its graph.
        reason = re.sub(r'\s+\[Caused by .*?(?=; (?:try|write)|$)', '', reason)
        lines.append(f'{number}. {reason}')
    return '\n'.join(lines) + '\n'


if __name__ == '__main__':
    main()

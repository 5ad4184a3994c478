# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
r"""Try ``python -m mmhires.adapt`` on upstream's networks; write the table.

    nice python tests/maintenance/compatibility_table.py --threads 1

Networks are chosen by a rule: the first config of each folder of
MMSegmentation, and the first of each backbone among MMPose's top-down heatmaps
of COCO at 256x192. A child config counts if its model trains a step and
predicts, which ``adapt`` tries before it gives one. Broken off, it goes on
where it was.
"""
import argparse
import json
import sys
import time
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import torch
from mmengine.config import Config

from mmhires.adapt import METHODS, AdaptError, adapt

TABLE = Path(__file__).resolve().parents[2] / 'configs/compatibility.md'
POSE = 'body_2d_keypoint/topdown_heatmap/coco'


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description="Try the methods on upstream's networks")
    parser.add_argument(
        '--state',
        default='work_dirs/compatibility_table.json',
        help='what is done so far (default: %(default)s)')
    parser.add_argument('--threads', type=int, help='of PyTorch')
    return parser.parse_args()


def networks() -> dict[str, list[str]]:
    """Methods to try, by config."""
    root = Path(find_spec('mmseg').origin).parent / '.mim/configs'
    firsts = [
        min(folder.glob('*.py')) for folder in sorted(root.iterdir())
        if folder.name[0] != '_' and any(folder.glob('*.py'))
    ]
    tried = {
        f'mmseg::{path.relative_to(root)}': list(METHODS)
        for path in firsts
    }
    root = Path(find_spec('mmpose').origin).parent / '.mim/configs'
    backbones = set()
    for path in sorted((root / POSE).glob('td-hm_*256x192.py')):
        backbone = Config.fromfile(
            path, import_custom_modules=False).model.backbone.type
        if backbone not in backbones:
            tried[f'mmpose::{path.relative_to(root)}'] = ['dsrl']
        backbones.add(backbone)
    return tried


def result(method: str, config: str) -> dict:
    """What adapt gives: the line of SISRHead, or why there is none."""
    try:
        text = adapt(method, config)
    except AdaptError as error:
        return dict(works=False, says=str(error))
    lines = [line.strip(' ,)') for line in text.splitlines()]
    says = next((line for line in lines if 'upscale=' in line), '')
    return dict(works=True, says=says)


def main() -> None:
    args = parse_args()
    if args.threads:
        torch.set_num_threads(args.threads)
    state = Path(args.state)
    done = json.loads(state.read_text()) if state.is_file() else {}
    state.parent.mkdir(parents=True, exist_ok=True)
    tried = networks()
    for config, methods in tried.items():
        for method in methods:
            key = f'{method} {config}'
            if key not in done:
                done[key] = result(method, config)
                state.write_text(json.dumps(done, indent=0))
                sys.stdout.write(f'{key} {done[key]}\n')
                sys.stdout.flush()
    TABLE.write_text(table(tried, done))
    sys.stdout.write(f'{TABLE}\n')


def table(tried: dict, done: dict) -> str:
    """The page."""
    lines = [
        '# Which networks take which method', '',
        'What `python -m mmhires.adapt METHOD CONFIG` gave, written by '
        '`python tests/maintenance/compatibility_table.py` on '
        f'{time.strftime("%Y-%m-%d")} with MMSegmentation '
        f'{version("mmsegmentation")}, MMPose {version("mmpose")}, torch '
        f'{torch.__version__}. Tried is the first config of each folder of '
        'MMSegmentation, and the first of each backbone among the top-down '
        'heatmaps of COCO at 256x192 of MMPose. "yes": the child config '
        'trains a step and predicts; a number leads to why not.', ''
    ]
    reasons = {}
    for package, title, methods in (('mmseg', 'Segmentation', list(METHODS)),
                                    ('mmpose', 'Pose', ['dsrl'])):
        configs = [name for name in tried if name.startswith(package)]
        working = [
            name for name in configs
            if any(done[f'{method} {name}']['works'] for method in methods)
        ]
        lines += [
            f'## {title}', '', f'{len(working)} of {len(configs)} networks '
            'take at least one method.', '',
            f'| config | {" | ".join(map(str.upper, methods))} | of '
            '`SISRHead` |', '|---' * (len(methods) + 2) + '|'
        ]
        for name in configs:
            cells, line = [], ''
            for method in methods:
                one = done[f'{method} {name}']
                if one['works']:
                    cells.append('yes')
                    line = line or (one['says'] and f'`{one["says"]}`')
                else:
                    number = reasons.setdefault(one['says'], len(reasons) + 1)
                    cells.append(f'[{number}](#why-not)')
            short = name.split('::')[1].removeprefix(f'{POSE}/')[:-3]
            lines.append(f'| {short} | {" | ".join(cells)} | {line} |')
        lines.append('')
    lines += ['## Why not', '']
    lines += [f'{number}. {reason}' for reason, number in reasons.items()]
    return '\n'.join(lines) + '\n'


if __name__ == '__main__':
    main()

# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
r"""Run ``mmhires check`` over every config of upstream's wheels.

    nice python tests/maintenance/check_upstream_configs.py --threads 1

Unmodified configs have no problem but that data, checkpoints or optional
packages are not on this machine, so everything else is a false alarm of the
check, unless it stands in ``DEFECTS``, with the reason why such a config of
upstream cannot be trained. A model that was run with the same data
before, in a config of another schedule, is not run again. Folders take turns.
Broken off, it goes on where it was; ``--again`` repeats those with a problem.
What it found stands in ``check_upstream_configs.json`` beside it, with the
date.
"""

import argparse
import contextlib
import io
import json
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import torch

from mmhires.check import check_config
from mmhires.check.context import Context
from mmhires.check.finding import Finding
from mmhires.check.rules import batch_norms, label_values, predictions, training

RESULT = Path(__file__).with_suffix('.json')
# Left out of problems: where packages are on one machine.
SITE = Path(torch.__file__).parents[1]
PACKAGES = dict(mmseg='mmsegmentation', mmpose='mmpose')
SPLITS = ('train', 'val', 'test')
# Of this machine, and not of the config.
ELSEWHERE = ('missing', 'import')
# Words of problems that are real, and why.
DEFECTS = {
    'only one of size and size_divisor should be valid': 'its data preprocessor has no size, and training asserts that it has one',
    'default_runtime.py not found': 'it inherits from a config that the wheel does not contain',
    "'mmcls.VisionTransformer'": 'mmcls has become mmpretrain, where the name is registered',
    "'posetrack18/Total AP'": 'PoseTrack18Metric calls it AP: no checkpoint would be saved as best',
    "'HalpeHandDataset'": 'MMPose has no such data set',
    "'extra_mapping_labels'": 'PackPoseInputs takes no such argument',
    'class_weight: 172 weights': 'F.cross_entropy refuses weights of another number of classes',
    '20, but train_dataloader.dataset.datasets.0 has 21 classes': 'labels of its training data count the background as class 0',
    'IndexError: index 255 is out of bounds for dimension 0': 'CrossEntropyLoss raises on padding of 255 where it has class_weight',
    'which are not exchanged back': 'its keypoints are swapped with others in one direction only',
    '20 classes, other ones than the 21 of': 'labels of its training data count the background as class 0',
}


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Check every config of upstream's wheels")
    parser.add_argument(
        '--state',
        default='work_dirs/check_upstream_configs.json',
        help='what is done so far (default: %(default)s)',
    )
    parser.add_argument('--again', action='store_true', help='those with a problem, once more')
    parser.add_argument('--only', default='', help='part of the names')
    parser.add_argument('--threads', type=int, help='of PyTorch')
    return parser.parse_args()


def upstream_configs() -> dict[str, Path]:
    """Configs by name: the first of each folder, then the second of each."""
    ranked, counts = {}, defaultdict(int)
    for package in PACKAGES:
        root = Path(find_spec(package).origin).parent / '.mim/configs'
        for path in sorted(root.rglob('*.py')):
            if '_base_' not in path.parts:
                counts[path.parent] += 1
                ranked[f'{package}::{path.relative_to(root)}'] = (counts[path.parent], path)
    return {name: path for name, (_, path) in sorted(ranked.items(), key=lambda item: item[1][0])}


def recalled(findings: Callable) -> Callable:
    """A rule that recalls what it found of the same model and data."""
    before = {}

    def recalled_findings(ctx: Context) -> list[Finding]:
        cfg = ctx.cfg
        loaders = [cfg.get(f'{split}_dataloader') for split in SPLITS]
        key = json.dumps([cfg.model, loaders, cfg.get('codec')], default=str)
        if key not in before:
            before[key] = list(findings(ctx))
        return before[key]

    return recalled_findings


def check(path: Path) -> dict:
    start = time.perf_counter()
    with contextlib.redirect_stdout(io.StringIO()):
        found = check_config(str(path), samples=1)
    return dict(
        seconds=round(time.perf_counter() - start, 1),
        problems=[
            f'({one.kind}) {one.key}: {one.message}'.replace(f'{SITE}/', '')
            for one in found
            if one.severity == 'problem' and one.kind != 'missing'
        ],
    )


def main() -> None:
    args = parse_args()
    if args.threads:
        torch.set_num_threads(args.threads)
    for rule in (training, predictions, batch_norms, label_values):
        rule.findings = recalled(rule.findings)
    state = Path(args.state)
    done = json.loads(state.read_text()) if state.is_file() else {}
    state.parent.mkdir(parents=True, exist_ok=True)
    configs = upstream_configs()
    for name, path in configs.items():
        if args.only not in name or (name in done and not (args.again and done[name]['problems'])):
            continue
        try:
            done[name] = check(path)
        except Exception as error:
            done[name] = dict(seconds=0, problems=[f'(crash) {error!r}'])
        state.write_text(json.dumps(done, indent=0))
        sys.stdout.write(
            f'{len(done)}/{len(configs)} {name} '
            f'{done[name]["seconds"]} s '
            f'{done[name]["problems"] or ""}\n'
        )
        sys.stdout.flush()
    report(done, len(configs))
    sys.stdout.write(f'{RESULT}\n')


def report(done: dict, total: int) -> None:
    """Write counts and problems."""
    counts, alarms = defaultdict(int), defaultdict(list)
    defects, elsewhere = defaultdict(dict), defaultdict(int)
    for name, result in sorted(done.items()):
        counts[name.rsplit('/', 1)[0]] += 1
        for problem in result['problems']:
            why = next((why for words, why in DEFECTS.items() if words in problem), None)
            if problem[1:].split(')')[0] in ELSEWHERE:
                elsewhere[problem] += 1
            elif why is None:
                alarms[problem].append(name)
            else:
                defects[why].setdefault(problem, []).append(name)
    result = dict(
        date=time.strftime('%Y-%m-%d'),
        versions={name: version(name) for name in ('torch', *PACKAGES.values())},
        checked=len(done),
        not_yet=total - len(done),
        false_alarms=alarms,
        defects_of_upstream=defects,
        not_installed=elsewhere,
        folders=counts,
    )
    RESULT.write_text(json.dumps(result, indent=1) + '\n')


if __name__ == '__main__':
    main()

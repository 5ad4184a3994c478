# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""What the schedule of ``mmhires adapt`` is worth, row by row.

    python tests/maintenance/recipe_study.py BASE.py BASE.pth rows.json \
        --seeds 0 1 2 --rates 0.5 --lengths 0.5

BASE is a full-size config with its trained weights. Students of each method,
and the plain network on small images as their control, are trained by the
schedule of ``adapt`` at each rate and length (times the base's) and by the
base's own (``--rates 0``). ``--scales`` compares sizes of images, ``--labelled``
and ``--unlabelled`` what pictures without labels add. Choose by val with one
seed; test the choice. Stop it and start it again as you like: a training that
was stopped is resumed, rows that are in the file are not run again. ``--dry``
trains two steps of each row and tests on two images.
"""

import argparse
import json
from itertools import product
from pathlib import Path
from time import process_time

import numpy as np
import torch
from mmengine.config import Config
from mmengine.registry import DATASETS, init_default_scope
from mmengine.runner import Runner

from mmhires.adapt import adapt
from mmhires.adapt.schedule import RATE
from mmhires.utils.files import open_whole


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add('base')
    add('weights')
    add('out', type=Path, help='JSON of the rows, which are added to')
    add('--methods', nargs='+', default=['control', 'dsrl', 'hrfr'], help="'plain' has a teacher")
    add('--seeds', nargs='+', type=int, default=[0])
    add('--rates', nargs='+', type=float, default=[0.0, RATE])
    add('--lengths', nargs='+', type=float, default=[0.5])
    add('--scales', nargs='+', type=float, default=[2])
    add('--labelled', type=int, help='train on so many of the images, evenly spread')
    add('--unlabelled', help='folder of pictures without labels, for methods with a teacher')
    add('--work-dir', type=Path, default=Path('work_dirs/recipe'))
    add('--dry', action='store_true', help='two steps, two images')
    return parser.parse_args()


def limit(loader: dict, count: int) -> None:
    """Leave some samples of a loader's data set, evenly spread, or the first drawn ones."""
    dataset = loader['dataset']
    if 'length' in dataset:
        dataset['length'] = count
        return
    total = len(DATASETS.build(dict(dataset, pipeline=[])))
    dataset['indices'] = np.linspace(0, total - 1, min(count, total)).round().astype(int).tolist()


def write_base(args: argparse.Namespace, folder: Path) -> str:
    """Write BASE with fewer samples, if so asked for; return the file to adapt."""
    cfg = Config.fromfile(args.base)
    init_default_scope(cfg.default_scope)
    if args.labelled:
        limit(cfg.train_dataloader, args.labelled)
    if args.dry:
        for name in ('val_dataloader', 'test_dataloader'):
            limit(cfg[name], 2)
    if not (args.labelled or args.dry):
        return args.base
    path = folder / f'{Path(args.base).stem}.py'
    cfg.dump(path)
    return str(path)


def student(
    args: argparse.Namespace, base: str, method: str, rate: float, iters: int, scale: float
) -> Config:
    """The config of a row, but for its seed."""
    full_size = Config.fromfile(base)
    child = args.work_dir / Path(args.base).stem / f'{method}.py'
    child.write_text(
        adapt(
            'dsrl' if method == 'control' else method,
            base,
            child,
            scale=scale,
            teacher_ckpt=args.weights,
            iters=iters,
            steps=0,
            unlabelled=None if method == 'control' else args.unlabelled,
        )
    )
    cfg = Config.fromfile(child)
    if method == 'control':
        preprocessor = cfg.model.data_preprocessor
        cfg.load_from, cfg.model = args.weights, full_size.model
        cfg.model.data_preprocessor = preprocessor
    if rate:
        cfg.optim_wrapper.optimizer.lr = rate * full_size.optim_wrapper.optimizer.lr
    else:  # as the base trains, but for its length
        cfg.optim_wrapper = full_size.optim_wrapper
        schedule = [x for x in full_size.param_scheduler if x.get('begin', 0) < iters]
        for scheduler in schedule:
            scheduler.end = min(scheduler.get('end', iters), iters)
        schedule[-1].end = iters
        cfg.param_scheduler = schedule
        cfg.default_hooks.pop('ema')
    return cfg


def train(cfg: Config, work_dir: Path, seed: int) -> dict:
    """Train, or go on with it, and test the best weights of val."""
    start = process_time()
    cfg.merge_from_dict(dict(work_dir=str(work_dir), resume=True, randomness=dict(seed=seed)))
    Runner.from_cfg(cfg).train()
    (best,) = work_dir.glob('best_*.pth')
    last = (work_dir / 'last_checkpoint').read_text().strip()
    info = torch.load(last, weights_only=False)['message_hub']['runtime_info']
    cfg.merge_from_dict(dict(resume=False, load_from=str(best)))
    return dict(
        step_0=info['step_0'],
        val=info['best_score'],
        best=best.name,
        test=Runner.from_cfg(cfg).test(),
        cpu_seconds=process_time() - start,
    )


def main() -> None:
    args = parse_args()
    if args.dry:
        args.work_dir = args.work_dir.with_name(f'{args.work_dir.name}_dry')
    folder = args.work_dir / Path(args.base).stem
    folder.mkdir(parents=True, exist_ok=True)
    base = write_base(args, folder)
    steps = Config.fromfile(base).train_cfg.max_iters
    rows = json.loads(args.out.read_text()) if args.out.exists() else {}
    images = f'-labelled{args.labelled}' if args.labelled else ''
    images += '-unlabelled' if args.unlabelled else ''
    for seed, method, rate, length, scale in product(
        args.seeds, args.methods, args.rates, args.lengths, args.scales
    ):
        name = (
            f'{Path(args.base).stem}/{method}-rate{rate:g}-length{length:g}-scale{scale:g}'
            f'{images}/seed{seed}'
        )
        if name in rows:
            continue
        iters = 2 if args.dry else max(1, round(length * steps))
        cfg = student(args, base, method, rate, iters, scale)
        rows[name] = train(cfg, args.work_dir / name, seed)
        with open_whole(args.out) as file:
            json.dump(rows, file, indent=1, default=float)  # NumPy's


if __name__ == '__main__':
    main()

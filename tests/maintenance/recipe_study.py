# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""What the schedule of ``mmhires adapt`` is worth, row by row.

    python tests/maintenance/recipe_study.py BASE.py BASE.pth rows.json \
        --seeds 0 1 2 --rates 0.5 --lengths 0.5

BASE is a full-size config with its trained weights. Students of each method,
and the plain network on small images as their control, are trained by the
schedule of ``adapt`` at each rate and length (times the base's) and by the
base's own (``--rates 0``). Choose by val with one seed; test the choice.
Stop it and start it again as you like: a training that was stopped is resumed,
rows that are in the file are not run again.
"""

import argparse
import json
from itertools import product
from pathlib import Path
from time import process_time

import torch
from mmengine.config import Config
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
    add('--methods', nargs='+', default=['control', 'dsrl', 'hrfr'])
    add('--seeds', nargs='+', type=int, default=[0])
    add('--rates', nargs='+', type=float, default=[0.0, RATE])
    add('--lengths', nargs='+', type=float, default=[0.5])
    add('--scale', type=float, default=2)
    add('--work-dir', type=Path, default=Path('work_dirs/recipe'))
    return parser.parse_args()


def student(args: argparse.Namespace, method: str, rate: float, length: float) -> Config:
    """The config of a row, but for its seed."""
    base = Config.fromfile(args.base)
    iters = max(1, round(length * base.train_cfg.max_iters))
    folder = args.work_dir / Path(args.base).stem
    folder.mkdir(parents=True, exist_ok=True)
    child = folder / f'{method}.py'
    child.write_text(
        adapt(
            'dsrl' if method == 'control' else method,
            args.base,
            child,
            scale=args.scale,
            teacher_ckpt=args.weights,
            iters=iters,
            steps=0,
        )
    )
    cfg = Config.fromfile(child)
    if method == 'control':
        cfg.load_from = args.weights
        cfg.model = Config.fromfile(args.base).model
        cfg.model.data_preprocessor = Config.fromfile(child).model.data_preprocessor
    if rate:
        cfg.optim_wrapper.optimizer.lr = rate * base.optim_wrapper.optimizer.lr
    else:  # as the base trains, but for its length
        cfg.optim_wrapper = base.optim_wrapper
        cfg.param_scheduler = base.param_scheduler
        cfg.param_scheduler[-1].end = iters
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
    rows = json.loads(args.out.read_text()) if args.out.exists() else {}
    for seed, method, rate, length in product(args.seeds, args.methods, args.rates, args.lengths):
        name = (
            f'{Path(args.base).stem}/{method}-rate{rate:g}-length{length:g}'
            f'-scale{args.scale:g}/seed{seed}'
        )
        if name in rows:
            continue
        rows[name] = train(student(args, method, rate, length), args.work_dir / name, seed)
        with open_whole(args.out) as file:
            json.dump(rows, file, indent=1)


if __name__ == '__main__':
    main()

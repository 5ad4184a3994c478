# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
r"""Try forms of the guided branch on Streets, by the protocol of the demo.

    python tests/maintenance/guided_study.py --steps 400 --seeds 0 1 2

Each run starts from the full-size network's weights and learns from its
logits. All networks reduce the image inside, so that controls differ in the
branch alone. A run that was stopped goes on where it was, one that is done is
read. ``--only`` takes the names of tries.
"""

import argparse
import copy
import json
import os.path as osp
import time
import warnings

import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope

from mmhires.analysis import count_macs, train_and_test
from mmhires.registry import MODELS
from mmhires.utils.files import open_whole

CONFIGS = osp.join(osp.dirname(osp.abspath(__file__)), '../../configs')
BASE = 'demo/deeplabv3plus-r18s-distilled_1xb4-400_streets-96x192.py'
WEIGHTS = osp.join(CONFIGS, 'demo/deeplabv3plus-r18s_streets-192x384.pth')
LARGER = 12 / 7  # the network sees 112x224 of 192x384
FINEST = dict(in_index=0, in_channels=32)  # 1/4 of what the network sees
DEEPEST = dict(in_index=2, in_channels=128)

# Scale, what wraps the head, and the wrapper's arguments.
TRIES = {
    'plain': (2, None, {}),
    'plain 7/6': (LARGER, None, {}),
    'DSRL': (2, 'DSRLHead', {}),
    'DSRL 7/6': (LARGER, 'DSRLHead', {}),
    'patch 4, 8': (2, 'GuidedHead', dict(channels=8)),
    'patch 4, 16': (2, 'GuidedHead', {}),
    'patch 4, 16, no block': (2, 'GuidedHead', dict(num_blocks=0)),
    'patch 4, 16, two blocks': (2, 'GuidedHead', dict(num_blocks=2)),
    'patch 4, 16, finest map': (2, 'GuidedHead', FINEST),
    'patch 4, 16, deepest map': (2, 'GuidedHead', DEEPEST),
    'patch 4, 32': (2, 'GuidedHead', dict(channels=32)),
    'patch 4, 16, to 1/2': (2, 'GuidedHead', dict(subpixel=2)),
    'conv 4, 16': (2, 'GuidedHead', dict(stem='conv')),
    'conv 4, 32': (2, 'GuidedHead', dict(stem='conv', channels=32)),
    'conv 4, 32, to 1/2': (2, 'GuidedHead', dict(stem='conv', channels=32, subpixel=2)),
    'conv 2, 16, two separable blocks': (
        2,
        'GuidedHead',
        dict(stem='conv', stride=2, num_blocks=2, separable=True),
    ),
    'patch 8, 16, to 1/4': (2, 'GuidedHead', dict(stride=8, subpixel=2)),
    'patch 8, 32, no block, to 1/4': (
        2,
        'GuidedHead',
        dict(stride=8, channels=32, num_blocks=0, subpixel=2),
    ),
    'patch 8, 32, to 1/4': (2, 'GuidedHead', dict(stride=8, channels=32, subpixel=2)),
    'patch 8, 32, finest map, to 1/4': (
        2,
        'GuidedHead',
        dict(stride=8, channels=32, subpixel=2, **FINEST),
    ),
    'patch 8, 32, to 1/2': (2, 'GuidedHead', dict(stride=8, channels=32, subpixel=4)),
}
METRICS = ('mIoU', 'mIoU.thin', 'mBIoU')


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--only', nargs='+', choices=TRIES, default=TRIES)
    parser.add_argument('--seeds', nargs='+', type=int, default=[0])
    parser.add_argument('--steps', type=int, default=400)
    parser.add_argument('--branch-rate', type=float, default=1.0, help='of the other layers')
    parser.add_argument('--split', choices=['val', 'test'], default='val')
    parser.add_argument('--images', type=int, default=300, help='to test on')
    parser.add_argument('--out-dir', default='work_dirs/guided')
    return parser.parse_args()


def read_config(args: argparse.Namespace, name: str) -> Config:
    """The config of one try."""
    scale, wrapper, options = TRIES[name]
    cfg = Config.fromfile(osp.join(CONFIGS, BASE), format_python_code=False)
    model = cfg.model
    model.data_preprocessor.scale = 1
    model.backbone = dict(type='mmhires.LowResBackbone', backbone=model.backbone, scale=scale)
    if wrapper == 'GuidedHead':
        model.decode_head = dict(type='mmhires.GuidedHead', head=model.decode_head, **options)
        cfg.optim_wrapper.paramwise_cfg = dict(
            custom_keys={'decode_head.branch': dict(lr_mult=args.branch_rate)}
        )
    elif wrapper:
        model.decode_head = dict(
            type='mmhires.DSRLHead', seg_head=model.decode_head, sssr='subpixel'
        )
    cache = osp.join(args.out_dir, 'streets')
    for loader in (cfg.train_dataloader, cfg.val_dataloader, cfg.test_dataloader):
        loader.update(num_workers=0, persistent_workers=False)
        loader.dataset.cache = cache
    cfg.test_dataloader.dataset.update(split=args.split, length=args.images)
    # Testing follows training; validating first would say the same.
    cfg.val_dataloader = cfg.val_cfg = cfg.val_evaluator = None
    cfg.train_cfg.max_iters = args.steps
    warm_up, decay = cfg.param_scheduler
    warm_up.end = decay.begin = min(warm_up.end, max(1, args.steps // 2))
    decay.end = args.steps
    return cfg


def main() -> None:
    args = parse_args()
    warnings.simplefilter('ignore')
    torch.set_num_threads(1)
    init_default_scope('mmseg')
    for seed in args.seeds:
        for name in args.only:
            cfg = read_config(args, name)
            model = copy.deepcopy(cfg.model)
            model.update(type='EncoderDecoder')
            for key in ('teacher', 'teacher_ckpt', 'distill_losses'):
                del model[key]
            macs = count_macs(MODELS.build(model), (3, *cfg.size))
            folder = f'{name.replace(", ", "-").replace("/", "_")}'
            folder = osp.join(
                args.out_dir,
                f'{folder}_{args.steps}-steps_x{args.branch_rate:g}_seed{seed}'.replace(' ', '-'),
            )
            begin = time.process_time()
            metrics = train_and_test(cfg, folder, seed, WEIGHTS)
            row = dict(
                name=name,
                seed=seed,
                steps=args.steps,
                branch_rate=args.branch_rate,
                gmacs=macs / 1e9,
                cpu_seconds=time.process_time() - begin,
                **{key: metrics[key] for key in METRICS},
            )
            with open_whole(f'{folder}.json') as file:
                json.dump(row, file)
            print(
                f'{name:34} seed {seed} {macs / 1e9:.3f} GMACs',
                *(f'{key} {metrics[key]:.2f}' for key in METRICS),
                f'{row["cpu_seconds"]:.0f} s of CPU',
                sep='  ',
                flush=True,
            )


if __name__ == '__main__':
    main()

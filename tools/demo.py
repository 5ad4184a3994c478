# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Low resolution with and without DSRL, on streets that this program draws.

Trains both networks on half-size images from the same weights, seed and data
order for the same number of steps, tests both at full size, prints what was
measured and writes a picture to compare.
"""
import argparse
import os
import os.path as osp
import warnings

import cv2
import numpy as np
import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.registry import init_default_scope
from mmengine.runner import load_checkpoint
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Table

from mmhires.analysis import (
    count_macs,
    count_params,
    measure_latency,
    save_initial_weights,
    train_and_test,
)
from mmhires.deploy import strip
from mmhires.models.segmentors.super_resolving import denormalize
from mmhires.registry import DATASETS, MODELS

CONFIG_DIR = osp.join(osp.dirname(__file__), '..', 'configs', 'dsrl')
CONFIGS = {
    'low-resolution baseline':
    'deeplabv3plus-r18s-d16_1xb4-300_streets-96x192.py',
    'DSRL':
    'dsrl_deeplabv3plus-r18s-d16_1xb4-300_streets-96x192-to-192x384.py',
}


class ProgressHook(Hook):
    """A line that says how far training is and how long it will take."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.progress = Progress(
            TextColumn('{task.description:<28}'), BarColumn(),
            MofNCompleteColumn(), TimeRemainingColumn())

    def before_train(self, runner) -> None:
        self.task = self.progress.add_task(
            f'train {self.name}', total=runner.max_iters)
        self.progress.start()

    def after_train_iter(self, runner, *args, **kwargs) -> None:
        self.progress.update(self.task, completed=runner.iter + 1)

    def after_train(self, runner) -> None:
        self.progress.stop()


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description='Compare low resolution with and without DSRL')
    parser.add_argument('--iters', type=int, help='training steps of each')
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--scene', type=int, default=3, help='of the picture')
    parser.add_argument('--out-dir', default='demo_out')
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    # Upstream's deprecation notes would bury what is measured.
    warnings.simplefilter('ignore')
    configs = {}
    for name, file in CONFIGS.items():
        cfg = Config.fromfile(osp.join(CONFIG_DIR, file))
        cfg.log_level = 'ERROR'
        if args.iters:
            cfg.train_cfg.max_iters = cfg.param_scheduler[0].end = args.iters
        # Testing follows training; validating first would say the same.
        cfg.train_cfg.val_interval = cfg.train_cfg.max_iters + 1
        configs[name] = cfg
    baseline = next(iter(configs.values()))
    # The processes that draw need cores too: with threads that wait for one
    # another on too few of them everything takes longer.
    torch.set_num_threads(
        max(1,
            os.cpu_count() - baseline.train_dataloader.num_workers))
    init_default_scope(baseline.default_scope)
    initial = osp.join(args.out_dir, 'initial.pth')
    save_initial_weights(baseline, args.seed, initial)

    metrics, models = {}, {}
    for name, cfg in configs.items():
        work_dir = osp.join(args.out_dir, osp.splitext(CONFIGS[name])[0])
        metrics[name] = train_and_test(cfg, work_dir, args.seed, initial,
                                       [ProgressHook(name)])
        models[name] = MODELS.build(cfg.model).eval()
        load_checkpoint(
            models[name],
            osp.join(work_dir, f'iter_{cfg.train_cfg.max_iters}.pth'),
            map_location='cpu')

    picture = osp.join(args.out_dir, 'comparison.png')
    dataset = DATASETS.build(baseline.test_dataloader.dataset)
    cv2.imwrite(picture, compare(dataset[args.scene], models, dataset))
    print_table(metrics, models, baseline.size)
    print(f'picture: {picture}')


def print_table(metrics: dict, models: dict, size: tuple) -> None:
    """Print accuracy at full size and cost at the network's input."""
    shape = (1, 3, size[0] // 2, size[1] // 2)
    params = {name: count_params(model)[1] for name, model in models.items()}
    macs = {name: count_macs(model, shape) for name, model in models.items()}
    latency = measure_latency(
        {
            name: strip(model)
            for name, model in models.items()
        },
        shape,
        device='cuda' if torch.cuda.is_available() else 'cpu')
    table = Table('', *models, title='tested at full size')
    for title, value in {
            'mIoU':
            lambda name: f'{metrics[name]["mIoU"]:.2f}',
            'mIoU of thin classes':
            lambda name: f'{metrics[name]["mIoU.thin"]:.2f}',
            'boundary mIoU':
            lambda name: f'{metrics[name]["mBIoU"]:.2f}',
            'GMACs':
            lambda name: f'{macs[name] / 1e9:.3f}',
            'parameters (M)':
            lambda name: f'{params[name] / 1e6:.3f}',
            'latency (ms)':
            lambda name: f'{latency[name].median:.1f}  '
            f'[{latency[name].low:.1f}, {latency[name].high:.1f}]',
    }.items():
        table.add_row(title, *(value(name) for name in models))
    Console().print(table)


def compare(sample: dict, models: dict, dataset) -> np.ndarray:
    """Image, truth and predictions of one scene side by side, BGR."""
    palette = np.array(dataset.metainfo['palette'], np.uint8)[:, ::-1]
    image = sample['inputs'].permute(1, 2, 0).numpy()
    truth = sample['data_samples'].gt_sem_seg.data[0].numpy()
    panels = {'image': image, 'truth': palette[truth]}
    for name, model in models.items():
        data = dict(
            inputs=[sample['inputs']], data_samples=[sample['data_samples']])
        with torch.no_grad():
            label = model.test_step(data)[0].pred_sem_seg.data[0]
        panels[name] = palette[label.cpu().numpy()]
        if hasattr(model.decode_head, 'super_resolve'):
            panels['SISR output'] = super_resolved(model, sample)
    small = cv2.resize(
        image, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    panels['what the networks see'] = cv2.resize(
        small, image.shape[1::-1], interpolation=cv2.INTER_NEAREST)
    order = ('image', 'truth', 'what the networks see', *models, 'SISR output')
    tiles = [caption(panels[name], name) for name in order]
    return np.vstack([np.hstack(tiles[i:i + 2]) for i in range(0, 6, 2)])


def super_resolved(model, sample: dict) -> np.ndarray:
    """What the SISR branch makes of the small image, BGR."""
    preprocessor = model.data_preprocessor
    with torch.no_grad():
        small = preprocessor(
            dict(
                inputs=[sample['inputs']],
                data_samples=[sample['data_samples']]))['inputs']
        images = model.decode_head.super_resolve(model.extract_feat(small))
    bgr = denormalize(preprocessor, images)[0].byte()
    height, width = sample['inputs'].shape[1:]
    return bgr.permute(1, 2, 0).cpu().numpy()[:height, :width]


def caption(panel: np.ndarray, text: str) -> np.ndarray:
    panel = cv2.resize(
        panel, None, fx=2, fy=2, interpolation=cv2.INTER_NEAREST)
    strip_above = np.full((28, panel.shape[1], 3), 255, np.uint8)
    cv2.putText(strip_above, text, (8, 20), cv2.FONT_HERSHEY_SIMPLEX, 0.6,
                (0, 0, 0), 1, cv2.LINE_AA)
    return np.vstack([strip_above, panel])


if __name__ == '__main__':
    main()

# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
r"""How far HRFR gets without training, and a start from there.

    python tools/analysis_tools/recover_features.py HRFR.py --batches 32 \
        --update-bn --out work_dirs/matched.pth

measures, with the weights of the teacher in the student, the teacher's
classifier on features that are enlarged bilinearly, projected to the teacher's
leading directions, or recovered by the best linear map (least squares): the
explained variance R^2 of the teacher's features, and the test metric of each.
The last of ``--ways`` is written to ``--out``, to be ``load_from``.
"""

import argparse
import copy
import os.path as osp
from itertools import islice

from mmengine.config import Config, DictAction
from mmengine.utils import mkdir_or_exist
from rich.console import Console
from rich.table import Table

from mmhires.utils.files import open_whole


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Recover features of a teacher without training')
    parser.add_argument('config', help='of an HRFR model')
    parser.add_argument('--batches', type=int, default=32)
    parser.add_argument(
        '--update-bn', action='store_true', help='statistics of batch normalisation of small images'
    )
    parser.add_argument(
        '--ways',
        nargs='+',
        choices=['bilinear', 'projected', 'lstsq'],
        default=['bilinear', 'projected', 'lstsq'],
    )
    parser.add_argument('--metric', default='mIoU')
    parser.add_argument('--out', help='checkpoint to write')
    parser.add_argument('--work-dir', default='work_dirs/recover_features')
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, default={})
    args = parser.parse_args()
    if args.batches < 1:
        parser.error(f'--batches must be at least 1, got {args.batches}')
    return args


def main() -> None:
    args = parse_args()
    # After --help, as these take seconds.
    import torch
    from mmengine.runner import Runner

    from mmhires.analysis import collect_moments, start_neck

    cfg = Config.fromfile(args.config)
    cfg.merge_from_dict(args.cfg_options)
    cfg.work_dir, cfg.load_from = args.work_dir, None
    runner = Runner.from_cfg(cfg)
    model = runner.model
    model.init_weights()
    loader = runner.build_dataloader(cfg.train_dataloader, seed=0)
    moments = collect_moments(model, islice(loader, args.batches), args.update_bn)
    table = Table('features', 'R^2 by map', args.metric)
    for way in args.ways:
        neck = copy.deepcopy(model.neck)
        r2 = start_neck(model, moments, way)
        score = runner.test()[args.metric]
        table.add_row(
            way, ', '.join(f'{index}: {value:.3f}' for index, value in r2.items()), f'{score:.2f}'
        )
        if way == 'bilinear':  # which has taken the modules out
            model.neck = neck
    Console(width=100).print(table)
    if args.out:
        meta = dict(dataset_meta=runner.test_loop.dataloader.dataset.metainfo)
        mkdir_or_exist(osp.dirname(osp.abspath(args.out)))
        with open_whole(args.out, 'wb') as file:
            torch.save(dict(meta=meta, state_dict=model.state_dict()), file)


if __name__ == '__main__':
    main()

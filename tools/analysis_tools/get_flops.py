# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
r"""Print multiply-accumulates and parameters of the models of configs.

    python tools/analysis_tools/get_flops.py BASELINE.py OURS.py \
        --shape 512 1024

Multiply-accumulates are those of one forward pass of the inference form at the
given network input. FLOPs of papers are often twice that. With several configs
the last column compares with the first.
"""
import argparse
import os.path as osp

from mmengine.config import Config
from mmengine.registry import init_default_scope
from rich.console import Console
from rich.table import Table

from mmhires.analysis import count_macs, count_params
from mmhires.registry import MODELS


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description='Print MACs and parameters of models')
    parser.add_argument('configs', nargs='+')
    parser.add_argument(
        '--shape',
        nargs=2,
        type=int,
        default=[512, 1024],
        metavar=('H', 'W'),
        help='network input in pixels')
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    table = Table('config', 'GMACs', 'params (M)', 'as trained (M)', '')
    first = None
    for path in args.configs:
        cfg = Config.fromfile(path)
        init_default_scope(cfg.get('default_scope', 'mmseg'))
        model = MODELS.build(cfg.model)
        macs = count_macs(model, (3, *args.shape))
        trained, deployed = count_params(model)
        first = first or macs
        table.add_row(
            osp.splitext(osp.basename(path))[0], f'{macs / 1e9:.3f}',
            f'{deployed / 1e6:.3f}', f'{trained / 1e6:.3f}',
            f'{100 * (macs / first - 1):+.2f} %')
    Console(width=140).print(table)


if __name__ == '__main__':
    main()

# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
r"""Print multiply-accumulates and parameters of the models of configs.

    mmhires flops BASELINE.py OURS.py --shape 1024 2048

Multiply-accumulates are those of one forward pass of the inference form for an
image of the given size, of which the network sees what the data preprocessor
leaves: reduced, and padded as in testing. Both sizes are printed. FLOPs of
papers are often twice that. With several configs a column compares with the
first. --per-branch adds where they are spent, in the inference form and in the
forward pass of a training step.
"""

import argparse
from typing import TYPE_CHECKING

from .options import add_configs, read_configs

# What takes seconds to import is imported where it is used, after --help.
if TYPE_CHECKING:
    from rich.table import Table


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of :func:`run`."""
    add_configs(parser)
    add = parser.add_argument
    add(
        '--shape',
        nargs=2,
        type=int,
        default=[512, 1024],
        metavar=('H', 'W'),
        help='image in pixels, before a data preprocessor reduces it',
    )
    add(
        '--per-branch',
        action='store_true',
        help='GMACs of backbone, neck and parts of the heads; computes the '
        'losses of one image, so take your time or a small shape',
    )
    add('--out', help='folder for a JSON and a CSV file')


def run(args: argparse.Namespace) -> None:
    """Count, print a table and write the requested files."""
    from rich.console import Console
    from rich.table import Table

    from mmhires import analysis

    console = Console(width=160)
    table = Table('config', 'GMACs', 'params (M)', 'as trained (M)', '', 'image', 'network input')
    shape = 'x'.join(map(str, args.shape))
    branches, results = [], []
    for path in read_configs(args):
        model = analysis.build_model(path)
        inputs = analysis.network_input(model, args.shape, padded=True)
        spent = analysis.count_branches(model, inputs)
        trained, deployed = analysis.count_params(model)
        costs = dict(gmacs=spent[''] / 1e9, params_m=deployed / 1e6, trained_params_m=trained / 1e6)
        seen = 'x'.join(map(str, inputs[2:]))
        result = dict(config=analysis.config_name(path), input=seen, **costs)
        results.append(result)
        more = 100 * (result['gmacs'] / results[0]['gmacs'] - 1)
        numbers = (f'{cost:.3f}' for cost in costs.values())
        table.add_row(result['config'], *numbers, f'{more:+.2f} %', shape, seen)
        if args.per_branch:
            try:
                training = analysis.count_training_branches(model, args.shape)
            except (OSError, ValueError) as error:
                raise ValueError(f'{path}: {error}') from error
            branches.append(branch_table(result['config'], spent, training))
    console.print(table, *branches)
    if args.out:
        name = f'complexity_{results[0]["config"]}'
        analysis.write_records(args.out, name, dict(image=shape), results)


def branch_table(name: str, inference: dict, training: dict) -> 'Table':
    """Return the table of ``--per-branch``."""
    from rich.table import Table

    table = Table('branch', 'inference', 'training forward', title=name)
    for counts in (inference, training):
        total = counts.pop('')
        counts.update(rest=total - sum(counts.values()), total=total)
    for branch in [*(name for name in training if name not in ('rest', 'total')), 'rest', 'total']:
        table.add_row(
            branch, *(f'{counts.get(branch, 0) / 1e9:.3f}' for counts in (inference, training))
        )
    return table

# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
r"""Say what a trained segmentor loses on smaller images, at any budget.

    mmhires budget CONFIG CHECKPOINT --cost 0.4

Tests it at a row of input sizes, without training, on some images of the
config's test data set, counts multiply-accumulates, and times the network on
the engines that are installed. Answers what is lost within a share of the
cost, prints the commands that train DSRL for that size, and writes a page with
the front, a table and pictures, and a JSON. --students adds trained ones.

The same command goes on where it was stopped and measures nothing twice.
"""

import argparse
import sys
from pathlib import Path

from .options import add_model, at_least, model_files


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of :func:`run`."""
    add_model(parser)
    add = parser.add_argument
    add(
        '--cost',
        nargs='+',
        type=share,
        help='budgets, shares of the multiply-accumulates of the network; without it 0.6 0.4 0.25',
    )
    add(
        '--scales',
        nargs='+',
        type=float,
        help='full-size image : network input, for a row of sizes',
    )
    students = dict(nargs='+', type=student, metavar='CONFIG:CHECKPOINT')
    add('--students', default=[], help='trained ones for the same front', **students)
    add('--images', type=at_least(1), default=100, help='test images, evenly spread')
    add('--threads', type=at_least(1), default=1, help='of the engines that are timed')
    add('--out-dir', help='without it work_dirs/budget/CONFIG')


def share(text: str) -> float:
    """Read a budget."""
    value = float(text)
    if not 0 < value <= 1:
        raise argparse.ArgumentTypeError(f'must be above 0 and at most 1, got {text}')
    return value


def student(text: str) -> tuple[str, str]:
    """Read ``CONFIG:CHECKPOINT``."""
    config, colon, checkpoint = text.partition('.py:')
    if not colon or not checkpoint:
        raise argparse.ArgumentTypeError(f'must be CONFIG.py:CHECKPOINT, got {text}')
    return f'{config}.py', checkpoint


def run(args: argparse.Namespace) -> None:
    """Measure, print the answers and write the page."""
    config, checkpoint = model_files(args)
    from mmhires.budget.budget import Budget
    from mmhires.budget.page import print_table, write_budget_page

    out_dir = args.out_dir or str(Path('work_dirs', 'budget', Path(config).stem))
    budget = Budget(
        config,
        checkpoint,
        out_dir,
        students=args.students,
        budgets=args.cost or (),
        scales=args.scales or (),
        images=args.images,
        threads=args.threads,
    )
    try:
        budget.measure()
    except KeyboardInterrupt as error:
        raise KeyboardInterrupt('stopped; the same command goes on from here') from error
    print_table(budget)
    for answer in budget.answers():
        sys.stdout.write(f'{answer.text}\n')
    sys.stdout.write(
        f'To train DSRL for that:\n{budget.commands(answer.best.scale)}\n'
        f'Written: {budget.write()}\n'
        f'Look at it: {Path(write_budget_page(budget)).absolute()}\n'
    )

# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Write the student of a trained HRFR model as an ordinary segmentor.

    mmhires convert student HRFR.py iter_1000.pth student.pth

writes the weights to student.pth and a config that names no teacher to
student.py, for test.py and whatever else takes an EncoderDecoder.
"""

import argparse
import os.path as osp
import sys


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of :func:`run`."""
    add = parser.add_argument
    add('config', help='of the HRFR model')
    add('checkpoint', help='of the HRFR model')
    add('out', help='.pth to write; the config goes beside it')


def run(args: argparse.Namespace) -> None:
    """Write the weights and the config."""
    from mmengine.config import Config

    from mmhires.deploy import extract_student
    from mmhires.utils.checkpoints import write_checkpoint
    from mmhires.utils.configs import config_files
    from mmhires.utils.files import open_whole, refuse_overwriting
    from mmhires.zoo.load import read_checkpoint

    config = f'{osp.splitext(args.out)[0]}.py'
    refuse_overwriting([args.out, config], [args.checkpoint, *config_files(args.config)])
    weights, dataset = read_checkpoint(args.checkpoint)
    cfg, weights = extract_student(Config.fromfile(args.config), weights)
    # Classes and palette, which inference reads.
    meta = dict(dataset_meta=dataset) if dataset else {}
    write_checkpoint(dict(state_dict=weights, meta=meta), args.out)
    with open_whole(config, encoding='utf-8') as file:
        file.write(cfg.pretty_text)
    sys.stdout.write(f'{args.out}: {len(weights)} tensors; {config}\n')

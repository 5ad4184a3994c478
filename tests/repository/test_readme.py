# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""README.md: its commands, its numbers and its length."""

import argparse
import importlib
import re
import shlex
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import MODELS, init_default_scope
from mmengine.runner import load_checkpoint

from mmhires import cli
from mmhires.deploy import Predictor
from mmhires.utils.images import read_image

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / 'README.md').read_text()
COMMANDS = [
    shlex.split(command, comments=True)
    for block in re.findall(r'```shell\n(.*?)```', TEXT, re.DOTALL)
    for line in block.replace('\\\n', ' ').splitlines()
    for command in line.split(' && ')
]


def commands(program):
    return [words[1:] for words in COMMANDS if words[0] == program]


def parse(words):
    """Parse arguments of ``mmhires``, as the command does."""
    name = next(name for name in (' '.join(words[:2]), words[0]) if name in cli.COMMANDS)
    module = importlib.import_module(f'mmhires.cli.{name.replace(" ", "_")}')
    parser = argparse.ArgumentParser(exit_on_error=False)
    module.add_arguments(parser)
    return parser.parse_intermixed_args(words[len(name.split()) :])


def test_it_fits_on_a_page():
    assert len(TEXT.splitlines()) <= 150


def test_every_command_is_one_that_is_tried_here():
    assert {words[0] for words in COMMANDS} == {'cd', 'git', 'make', 'mmhires', 'python', 'source'}


def test_every_make_target_is_there():
    targets = re.search(r'^\.PHONY: (.*)$', (ROOT / 'Makefile').read_text(), re.MULTILINE)[
        1
    ].split()
    named = {word for words in commands('make') for word in words}
    assert named and named <= {*targets}
    assert {*re.findall(r'`make (\w+)`', TEXT)} <= {*targets}


@pytest.mark.parametrize('words', commands('mmhires'), ids=' '.join)
def test_every_command_takes_its_arguments(words):
    parse(words)


def test_arguments_that_a_command_lacks_are_seen():
    with pytest.raises((argparse.ArgumentError, SystemExit)):
        parse(['flops', 'CONFIG', '--sizes', '512'])


def test_the_first_commands_end_in_an_exported_student(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ('configs', 'docs', 'tools'):
        Path(name).symlink_to(ROOT / name)
    adapt, export = (
        next(words for words in commands('mmhires') if words[0] == name)
        for name in ('adapt', 'export')
    )
    assert cli.main([*adapt, '--steps', '0']) == 0
    ((script, config),) = commands('python')
    assert Path(script).exists()
    cfg = Config.fromfile(config)
    (weights,) = (word for word in export if word.endswith('.pth'))
    stem = Path(config).stem
    assert weights == f'work_dirs/{stem}/iter_{cfg.train_cfg.max_iters}.pth'
    # Where training starts, instead of hours of it.
    init_default_scope('mmseg')
    model = MODELS.build(cfg.model)
    load_checkpoint(model, cfg.load_from)
    Path(weights).parent.mkdir(parents=True)
    torch.save(model.state_dict(), weights)
    assert cli.main(export) == 0
    predict = next(words for words in commands('mmhires') if words[0] == 'predict')
    model, picture = predict[1:3]
    labels = Predictor(model)(picture)
    assert labels.shape == read_image(picture).shape[:2] == (192, 384)
    assert len(np.unique(labels)) > 5  # the start is a trained network


def test_numbers_of_the_table_are_those_of_the_study():
    study = (ROOT / 'configs/study/README.md').read_text()
    first = study.split('## What it gains')[1].split('\n- ')[0]
    known = [
        [float(number) for number in re.findall(r'[\d.]*\d', re.sub(r'\([^)]*\)|±[^|]*', '', row))]
        for row in first.splitlines()
        if row.startswith('| [')
    ]
    rows = re.findall(r'^\| .* \| \**([\d.]+)\** \| ([\d.]+) \|$', TEXT, re.MULTILINE)
    assert len(rows) == 3
    for miou, gmacs in rows:
        assert any(
            float(gmacs) in numbers and any(f'{number:.1f}' == miou for number in numbers)
            for numbers in known
        ), (miou, gmacs)

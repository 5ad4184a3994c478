# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""``tools/train.py`` and ``tools/test.py``, launched in every way."""

import json
import os
import sys
from pathlib import Path

import cv2
import pytest
import torch

from mmhires.cli.host_tools import host_main

MIM = Path(sys.executable).parent / 'mim'
SRUN = """#!/usr/bin/env python3
import json, os, sys
with open(os.environ['SEEN'], 'w') as file:
    json.dump([sys.argv[1:], os.environ['PYTHONPATH']], file)
"""


@pytest.fixture(scope='module')
def two_processes(tiny, run, repo_root, free_port, tmp_path_factory):
    """Work directory and output of a training in two processes.

    Each spawns a loading process, which imports mmseg before any config says
    ``custom_imports``: without mmhires in our scripts that hangs.
    """
    work_dir = tmp_path_factory.mktemp('dist train')
    done = run(
        repo_root / 'tools/dist_train.sh',
        tiny / 'tiny.py',
        2,
        '--work-dir',
        work_dir,
        '--cfg-options',
        'env_cfg.mp_cfg.mp_start_method=spawn',
        'train_dataloader.num_workers=1',
        PORT=free_port(),
    )
    return work_dir, done.stdout


@pytest.fixture
def run_here(monkeypatch):
    """Run a script in this process, which saves the imports."""

    def run_here(tool, *args):
        argv = [str(arg) for arg in args]
        monkeypatch.setattr(sys, 'argv', [tool, *argv])
        monkeypatch.setenv('LOCAL_RANK', '0')  # the scripts would set it
        host_main(tool, argv)()

    return run_here


def mean_iou(work_dir):
    """What the newest test run in a work directory measured."""
    file = max(Path(work_dir).glob('*_*/*_*.json'))
    return json.loads(file.read_text().splitlines()[-1])['mIoU']


def test_dist_train_trains_in_as_many_processes_as_asked(two_processes):
    work_dir, output = two_processes
    assert 'GPU number: 2' in output
    assert output.count('Iter(train) [2/2]') == 1  # only rank 0 logs
    assert (work_dir / 'iter_2.pth').is_file()


@pytest.mark.slow
def test_dist_test_measures_what_mim_test_does(
    tiny, run, python, repo_root, free_port, two_processes, tmp_path
):
    checkpoint = two_processes[0] / 'iter_2.pth'
    run(
        repo_root / 'tools/dist_test.sh',
        tiny / 'tiny.py',
        checkpoint,
        2,
        '--work-dir',
        tmp_path / 'two',
        PORT=free_port(),
    )
    run(
        python,
        '-m',
        'mim',
        'test',
        'mmsegmentation',
        tiny / 'tiny.py',
        '--checkpoint',
        checkpoint,
        '--work-dir',
        tmp_path / 'one',
    )
    assert mean_iou(tmp_path / 'two') == mean_iou(tmp_path / 'one') > 0


@pytest.mark.slow
def test_mim_train_runs_a_config_of_ours_from_a_clone(tiny, run, tmp_path):
    run(MIM, 'train', 'mmsegmentation', tiny / 'tiny.py', '--work-dir', tmp_path)
    assert (tmp_path / 'iter_2.pth').is_file()


def test_options_of_the_host_reach_its_script(tiny, tiny_weights, run_here, tmp_path):
    run_here(
        'test.py',
        tiny / 'tiny.py',
        tiny_weights,
        '--work-dir',
        tmp_path,
        '--tta',
        '--out',
        tmp_path / 'out',
        '--show-dir',
        tmp_path / 'show',
        '--cfg-options',
        'default_hooks.visualization.interval=1',
    )
    predictions = sorted((tmp_path / 'out').iterdir())
    assert [file.stem for file in predictions] == ['0', '1', '2', '3']
    assert (cv2.imread(str(predictions[0]), 0) == 1).all()
    painted = list((tmp_path / 'show/vis_data/vis_image').iterdir())
    assert len(painted) == 4


def test_resume_continues_from_the_last_iteration(tiny, two_processes, run_here):
    work_dir = two_processes[0]
    run_here(
        'train.py',
        tiny / 'tiny.py',
        '--work-dir',
        work_dir,
        '--resume',
        '--cfg-options',
        'train_cfg.max_iters=4',
    )
    state = torch.load(work_dir / 'iter_4.pth', weights_only=True)
    assert state['meta']['iter'] == 4
    log = max(work_dir.glob('*_*/*.log')).read_text()
    assert 'Iter(train) [3/4]' in log and 'Iter(train) [2/4]' not in log


@pytest.mark.parametrize('tool', ['train.py', 'test.py'])
def test_missing_config_is_one_line_naming_it(tool, run, python, repo_root):
    done = run(python, repo_root / 'tools' / tool, 'no/such.py', 'x.pth', check=False)
    assert done.returncode == 1
    assert done.stdout.splitlines()[-1].startswith(f'{tool}: ')
    assert 'no/such.py' in done.stdout and 'Traceback' not in done.stdout


@pytest.mark.parametrize(
    'tool, positional', [('train', ['c onfig.py']), ('test', ['c onfig.py', 'w.pth'])]
)
def test_slurm_scripts_pass_arguments_whole(tool, positional, run, python, repo_root, tmp_path):
    (tmp_path / 'srun').write_text(SRUN)
    (tmp_path / 'srun').chmod(0o755)
    run(
        repo_root / f'tools/slurm_{tool}.sh',
        'part',
        'job',
        *positional,
        '--work-dir',
        'a b',
        SEEN=str(tmp_path / 'seen'),
        GPUS='8',
        SRUN_ARGS='--mem=1G --time=5',
        PATH=f'{tmp_path}:{os.environ["PATH"]}',
    )
    argv, path = json.loads((tmp_path / 'seen').read_text())
    assert argv == [
        '-p',
        'part',
        '--job-name=job',
        '--gres=gpu:4',
        '--ntasks=8',
        '--ntasks-per-node=4',
        '--cpus-per-task=5',
        '--kill-on-bad-exit=1',
        '--mem=1G',
        '--time=5',
        python,
        '-u',
        str(repo_root / f'tools/{tool}.py'),
        *positional,
        '--launcher',
        'slurm',
        '--work-dir',
        'a b',
    ]
    assert path.split(':')[0] == str(repo_root / 'tools/..')


@pytest.mark.parametrize(
    'script, arguments',
    [
        ('dist_train.sh', ['c.py']),
        ('dist_test.sh', ['c.py', 'w']),
        ('slurm_train.sh', ['p', 'j']),
        ('slurm_test.sh', ['p']),
    ],
)
def test_missing_arguments_print_the_usage(script, arguments, run, repo_root):
    done = run(repo_root / 'tools' / script, *arguments, check=False)
    assert done.returncode == 2
    assert done.stdout.startswith('usage: ')

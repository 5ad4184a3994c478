# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
import contextlib
import functools
import gc
import io
import os
import random
import runpy
import socket
import sys
from pathlib import Path

os.environ.setdefault('OMP_NUM_THREADS', '1')

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.config import config as mmengine_config
from mmengine.logging import MessageHub, MMLogger
from mmengine.registry import DefaultScope
from mmengine.runner import runner as mmengine_runner
from mmengine.structures import PixelData
from mmengine.visualization import Visualizer
from preloaded_python import preloaded_python
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from yapf.yapflib import yapf_api

# Before any test module imports mmseg or mmpose, which need its compat.
import mmhires  # noqa: F401

ROOT = Path(__file__).resolve().parents[1]
# Folders of tests about the repository itself: configs, pages, packaging.
REPOSITORY = {ROOT / 'tests/repository', ROOT / 'tests/maintenance'}
# Files that take longest. They come first: no process works on one of them
# when the others have nothing left to do.
LONGEST = [
    'test_engines.py',
    'test_exportability.py',
    'test_pose_end_to_end.py',
    'test_demo.py',
    'test_budget.py',
    'test_processes.py',
    'test_properties.py',
    'test_export.py',
    'test_configs.py',
    'test_adapt.py',
    'test_own_dataset.py',
    'test_exact_resume_hook.py',
    'test_interrupted.py',
    'test_upstream.py',
    'test_adapt_unlabelled.py',
    'test_train_and_test.py',
    'test_quantize.py',
    'test_end_to_end.py',
    'test_compare_upstream.py',
    'test_docs.py',
    'test_compare.py',
    'test_published_complexity.py',
    'test_dist_methods.py',
    'test_packaging.py',
]
torch.set_num_threads(1)


def pytest_configure(config):
    # Else pytest-xdist begins with the files of most tests.
    config.option.loadscopereorder = False


def pytest_collection_modifyitems(items):
    for item in items:
        if REPOSITORY & {*item.path.parents}:
            item.add_marker('repository')
    items.sort(
        key=lambda item: (
            LONGEST.index(item.path.name) if item.path.name in LONGEST else len(LONGEST)
        )
    )


def pytest_collection_finish():
    # What is imported stays: the garbage collector need not look at it again.
    gc.collect()
    gc.freeze()


def pytest_sessionfinish():
    # pytest collects garbage five times at its end.
    gc.freeze()


@pytest.fixture(scope='session', autouse=True)
def configs_are_formatted_once():
    """A runner formats its config four times, which takes a second."""
    # OneDL's fork imports it in the function.
    owner = mmengine_config if hasattr(mmengine_config, 'FormatCode') else yapf_api
    format_code, formatted = owner.FormatCode, {}

    def format_once(text, **style):
        key = text, str(style)
        if key not in formatted:
            formatted[key] = format_code(text, **style)
        return formatted[key]

    owner.FormatCode = format_once
    yield
    owner.FormatCode = format_code


@pytest.fixture(scope='session', autouse=True)
def environment_is_described_once():
    """A runner asks the compiler and the libraries for their versions."""
    describe = mmengine_runner.collect_env
    mmengine_runner.collect_env = functools.cache(describe)
    yield
    mmengine_runner.collect_env = describe


def copy_of(value, copies):
    """A copy that keeps what MMEngine notes beside the keys of a config."""
    if id(value) in copies:
        return copies[id(value)]
    if isinstance(value, dict):
        copy = copies[id(value)] = type(value)()
        for key, item in dict.items(value):
            dict.__setitem__(copy, key, copy_of(item, copies))
        if 'scope' in getattr(value, '__dict__', ()):
            dict.__setattr__(copy, 'scope', value.__dict__['scope'])
    elif isinstance(value, (list, tuple)):
        copy = type(value)(copy_of(item, copies) for item in value)
        copies[id(value)] = copy
    else:
        return value
    return copy


@pytest.fixture(scope='session', autouse=True)
def configs_are_read_once():
    """Reading a config and its bases takes a twentieth of a second.

    Those of this repository and of the host packages do not change.
    """
    read, contents = Config._file2dict, {}

    def read_once(filename, *args, **kwargs):
        path = os.path.abspath(filename)
        key = path, args, *sorted(kwargs.items())
        if key in contents:
            return copy_of(contents[key], {})
        found = read(filename, *args, **kwargs)
        if not found[2] and path.startswith(  # no variables of the environment
            (f'{ROOT}/configs/', f'{sys.prefix}/')
        ):
            contents[key] = copy_of(found, {})
        return found

    Config._file2dict = staticmethod(read_once)
    yield
    Config._file2dict = staticmethod(read)


@pytest.fixture(scope='session')
def repo_root():
    """The source tree."""
    return ROOT


class Kept(io.StringIO):
    """What is written to a stream, which gets it too."""

    def __init__(self, stream):
        super().__init__()
        self.stream = stream

    def write(self, text):
        self.stream.write(text)
        return super().write(text)


@pytest.fixture
def call_tool(monkeypatch, repo_root):
    """Run a file of ``tools`` here; None, or the lines of its error."""

    def call_tool(path, *argv):
        path = str(repo_root / 'tools' / path)
        monkeypatch.setattr(sys, 'argv', [path, *map(str, argv)])
        call_tool.code = 0
        with contextlib.redirect_stderr(Kept(sys.stderr)) as said:
            try:
                runpy.run_path(path, run_name='__main__')
            except SystemExit as stop:
                call_tool.code = stop.code
        errors = '\n'.join(
            line for line in said.getvalue().splitlines() if line.startswith('mmhires ')
        )
        assert bool(errors) == bool(call_tool.code)
        return errors or None

    return call_tool


@pytest.fixture(scope='session')
def shared_dir():
    """Real images and reference numbers, which not every machine has."""
    path = ROOT.parent / 'shared'
    if not path.is_dir():
        pytest.skip('no ../shared beside the repository')
    return path


@pytest.fixture(scope='session')
def python(tmp_path_factory):
    """Stands in for ``sys.executable``, with the host packages imported."""
    with preloaded_python(tmp_path_factory.mktemp('python')) as python:
        yield python


@pytest.fixture(scope='session')
def free_port():
    """Finds a port that nothing listens on, as text."""

    def free_port():
        with socket.socket() as s:
            s.bind(('127.0.0.1', 0))
            return str(s.getsockname()[1])

    return free_port


@pytest.fixture(autouse=True)
def nothing_global_left_behind():
    """A test finds the same in every order: seeds, folder, variables, torch.

    It leaves its default scope and loggers to no other test: runners of one
    config that begin in the same second share their loggers.
    """
    for seed in (random.seed, np.random.seed, torch.manual_seed):
        seed(0)
    folder, variables = os.getcwd(), dict(os.environ)
    yield
    os.chdir(folder)
    for name in {*variables, *os.environ} - {'PYTEST_CURRENT_TEST'}:
        if name not in variables:
            del os.environ[name]
        elif os.environ.get(name) != variables[name]:
            os.environ[name] = variables[name]
    torch.set_num_threads(1)
    torch.set_default_dtype(torch.float32)
    torch.set_grad_enabled(True)
    torch.use_deterministic_algorithms(False)
    for manager in (DefaultScope, MMLogger, MessageHub, Visualizer):
        manager._instance_dict.clear()


@pytest.fixture
def streets_config():
    """Makes configs of a run of seconds on small drawn streets."""
    baseline_name = 'deeplabv3plus-r18s-d16_1xb4-300_streets-96x192.py'
    dsrl_name = f'dsrl_{baseline_name[:-3]}-to-192x384.py'

    def build(work_dir, dsrl=True, iters=2):
        cfg = Config.fromfile(ROOT / 'configs' / 'dsrl' / (dsrl_name if dsrl else baseline_name))
        for loader, length in (('train', 4), ('val', 2), ('test', 2)):
            cfg[f'{loader}_dataloader'].update(num_workers=0, persistent_workers=False)
            cfg[f'{loader}_dataloader'].dataset.update(size=(64, 128), length=length)
        cfg.train_dataloader.batch_size = 2
        cfg.model.data_preprocessor.update(size=(64, 128), min_size=16)
        cfg.train_cfg.update(max_iters=iters, val_interval=iters)
        cfg.default_hooks.checkpoint.interval = 1
        cfg.work_dir = str(work_dir)
        cfg.experiment_name = Path(work_dir).name
        cfg.randomness = dict(seed=0)
        return cfg

    return build


@pytest.fixture(scope='session')
def randomize():
    """Weights and statistics that keep activations in a sane range."""

    def randomize(model):
        torch.manual_seed(0)
        for module in model.modules():
            if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
                nn.init.kaiming_normal_(module.weight)
            elif isinstance(module, _BatchNorm):
                module.running_mean.normal_(0, 0.5)
                module.running_var.uniform_(0.5, 1.5)
                nn.init.uniform_(module.weight, 0.5, 1.5)
                nn.init.normal_(module.bias, 0, 0.5)
        return model.eval()

    return randomize


@pytest.fixture
def random_batch():
    """Makes what a data loader hands to a segmentor, two images of noise."""
    # Not at the top: without mmhires it cannot be imported beside mmcv-lite.
    from mmseg.structures import SegDataSample

    def build(num_classes, size):
        torch.manual_seed(0)
        return dict(
            inputs=[torch.randint(0, 256, (3, *size)) for _ in range(2)],
            data_samples=[
                SegDataSample(
                    gt_sem_seg=PixelData(data=torch.randint(0, num_classes, (1, *size))),
                    metainfo=dict(img_path='x.png', ori_shape=size, img_shape=size),
                )
                for _ in range(2)
            ],
        )

    return build

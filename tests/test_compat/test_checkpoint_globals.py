# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
import os
import pickle
import zipfile

import numpy as np
import pytest
import torch
from mmengine.logging import HistoryBuffer, MessageHub
from mmengine.runner import load_checkpoint, save_checkpoint
from torch import nn

import mmhires  # noqa: F401

pytestmark = pytest.mark.skipif(
    torch.__version__ < (2, 6),
    reason='before torch 2.6 checkpoints may name anything')


@pytest.fixture
def checkpoint(tmp_path):
    """What a Runner saves: weights, log histories, NumPy values in meta."""
    hub = MessageHub('test_checkpoint_globals')
    hub.update_scalar('loss', 0.5)
    hub.update_scalar('loss', np.float32(0.25))
    hub.update_info('best_score', np.float64(71.5))
    model = nn.Linear(2, 1)
    file = tmp_path / 'iter_2.pth'
    save_checkpoint(
        dict(
            meta=dict(
                iter=2,
                seed=np.int64(3),
                sigmas=np.asfortranarray(np.arange(6.).reshape(2, 3)),
                names=np.array(['car', 'sky'])),
            message_hub=hub.state_dict(),
            empty=HistoryBuffer(),
            state_dict=model.state_dict()), str(file))
    return model, file


@pytest.fixture
def no_allow_list():
    allowed = torch.serialization.get_safe_globals()
    torch.serialization.clear_safe_globals()
    yield
    torch.serialization.add_safe_globals(allowed)


def test_without_the_allow_list_the_checkpoint_is_refused(
        checkpoint, no_allow_list):
    model, file = checkpoint
    with pytest.raises(pickle.UnpicklingError, match='Unsupported global'):
        load_checkpoint(model, str(file))


def check(loaded):
    meta, hub = loaded['meta'], loaded['message_hub']
    assert meta['seed'] == 3
    np.testing.assert_array_equal(meta['sigmas'], [[0, 1, 2], [3, 4, 5]])
    assert meta['names'].tolist() == ['car', 'sky']
    assert hub['runtime_info']['best_score'] == 71.5
    history = hub['log_scalars']['loss']
    assert isinstance(history, HistoryBuffer)
    assert history.data[0].tolist() == [0.5, 0.25]
    assert history.statistics('mean') == 0.375
    assert loaded['empty'].data[0].shape == (0, )


def test_checkpoint_of_a_runner_loads_with_its_values(checkpoint):
    model, file = checkpoint
    loaded = load_checkpoint(nn.Linear(2, 1), str(file), strict=True)
    check(loaded)
    for name, value in model.state_dict().items():
        assert torch.equal(loaded['state_dict'][name], value)


@pytest.mark.parametrize('core', [b'numpy.core', b'numpy._core'])
def test_checkpoint_written_with_the_other_numpy_loads(checkpoint, core):
    _, file = checkpoint
    other = file.with_name('other.pth')
    with zipfile.ZipFile(file) as old, zipfile.ZipFile(other, 'w') as new:
        for entry in old.infolist():
            data = old.read(entry)
            if entry.filename.endswith('data.pkl'):
                data = data.replace(b'cnumpy._core.', b'cnumpy.core.')
                data = data.replace(b'cnumpy.core.', b'c' + core + b'.')
                assert b'c' + core + b'.multiarray' in data
            new.writestr(entry, data)
    check(torch.load(other))


class Call:
    """Unpickles by calling something."""

    def __init__(self, function, *args):
        self.call = function, args

    def __reduce__(self):
        return self.call


def test_checkpoint_that_runs_a_command_is_refused(tmp_path):
    trace = tmp_path / 'trace'
    file = tmp_path / 'bad.pth'
    torch.save(dict(state_dict=Call(os.system, f'touch {trace}')), file)
    with pytest.raises(pickle.UnpicklingError, match='system'):
        load_checkpoint(nn.Linear(1, 1), str(file))
    assert not trace.exists()


@pytest.mark.parametrize(
    'args', [(HistoryBuffer, '__init__'), (HistoryBuffer, '__class__'),
             (HistoryBuffer, 'statistics'), (np.ndarray, 'min')])
def test_getattr_of_anything_but_a_statistic_is_refused(tmp_path, args):
    file = tmp_path / 'bad.pth'
    torch.save(dict(state_dict=Call(getattr, *args)), file)
    with pytest.raises((pickle.UnpicklingError, ValueError), match='refused'):
        load_checkpoint(nn.Linear(1, 1), str(file))


def test_array_of_objects_is_refused(tmp_path):
    file = tmp_path / 'bad.pth'
    torch.save(dict(state_dict=np.array([None, 1])), file)
    with pytest.raises(pickle.UnpicklingError):
        load_checkpoint(nn.Linear(1, 1), str(file))


def test_torch_load_is_pytorchs_own():
    assert torch.load.__module__ == 'torch.serialization'
    assert not hasattr(torch.load, '__wrapped__')

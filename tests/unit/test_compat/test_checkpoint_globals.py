# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
import os
import pickle
import pickletools
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.logging import HistoryBuffer, MessageHub
from mmengine.runner import load_checkpoint, save_checkpoint
from torch import nn

import mmhires  # noqa: F401

RECONSTRUCT = np.ndarray((0,)).__reduce__()[0]
SCALAR = np.float64(0).__reduce__()[0]

pytestmark = pytest.mark.skipif(
    torch.__version__ < (2, 6), reason='before torch 2.6 checkpoints may name anything'
)


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
                sigmas=np.asfortranarray(np.arange(6.0).reshape(2, 3)),
                names=np.array(['car', 'sky']),
            ),
            message_hub=hub.state_dict(),
            empty=HistoryBuffer(),
            state_dict=model.state_dict(),
        ),
        str(file),
    )
    return model, file


@pytest.fixture
def no_allow_list():
    allowed = torch.serialization.get_safe_globals()
    torch.serialization.clear_safe_globals()
    yield
    torch.serialization.add_safe_globals(allowed)


def test_without_the_allow_list_the_checkpoint_is_refused(checkpoint, no_allow_list):
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
    assert loaded['empty'].data[0].shape == (0,)


def test_checkpoint_of_a_runner_loads_with_its_values(checkpoint):
    model, file = checkpoint
    loaded = load_checkpoint(nn.Linear(2, 1), str(file), strict=True)
    check(loaded)
    for name, value in model.state_dict().items():
        assert torch.equal(loaded['state_dict'][name], value)


# Files that save_checkpoint() of MMEngine 0.10.7 wrote beside these versions,
# with values as in the fixture above.
@pytest.mark.parametrize('version', ['1.26.4', '2.0.2'])
def test_checkpoint_written_beside_another_numpy_loads(version):
    file = Path(__file__).with_name(f'numpy{version[0]}.pth')
    model = nn.Linear(2, 1)
    loaded = load_checkpoint(model, str(file), strict=True)
    assert loaded['meta']['numpy'] == version
    check(loaded)
    assert loaded['meta']['palette'].dtype == np.uint8
    assert loaded['meta']['palette'].tolist() == [[0, 1, 2], [3, 4, 5]]
    assert isinstance(loaded['meta']['flag'], np.bool_)
    assert model.weight.tolist() == [[1, 2]] and model.bias.item() == 3


def test_loaded_values_are_saved_as_ordinary_numpy_values(checkpoint):
    _, file = checkpoint
    loaded = torch.load(file)
    names = pickletools_globals(pickle.dumps(loaded['meta'], protocol=2))
    assert names == {
        'numpy dtype',
        'numpy ndarray',
        '_codecs encode',
        *(
            f'{np.ndarray((0,)).__reduce__()[0].__module__} {name}'
            for name in ('_reconstruct', 'scalar')
        ),
    }
    again = pickle.loads(pickle.dumps(loaded['meta']['sigmas'], protocol=5))
    assert type(again) is np.ndarray and again.flags.f_contiguous
    history = loaded['message_hub']['log_scalars']['loss']
    history.update(0.75)
    assert type(history.data[0]) is np.ndarray
    assert history.data[0].tolist() == [0.5, 0.25, 0.75]


def pickletools_globals(data):
    """What a pickle names."""
    return {arg for code, arg, _ in pickletools.genops(data) if code.name == 'GLOBAL'}


class Call:
    """Unpickles by calling something."""

    def __init__(self, function, *args):
        self.call = function, args

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize('zipped', [True, False])
def test_checkpoint_that_runs_a_command_is_refused(zipped, tmp_path):
    trace = tmp_path / 'trace'
    file = tmp_path / 'bad.pth'
    torch.save(
        dict(state_dict=Call(os.system, f'touch {trace}')),
        file,
        _use_new_zipfile_serialization=zipped,
    )
    with pytest.raises(pickle.UnpicklingError, match=r'posix\.system'):
        load_checkpoint(nn.Linear(1, 1), str(file))
    assert not trace.exists()


# The bytes would be taken for the address of an object.
@pytest.mark.parametrize(
    'args',
    [
        (np.ndarray, (1,), 'O', b'A' * 8),
        (np.ndarray, (1,), 'f8', b'A' * 8),
        (np.dtype, 'O'),
        (np.dtype, [('a', 'O')]),
        (np.dtype, 'V8'),
        (RECONSTRUCT, object, (0,), b'b'),
        (SCALAR, np.dtype('f8'), b'AAA'),
        (SCALAR, 'O', b'A' * 8),
    ],
)
def test_memory_cannot_be_read_through_numpy(args, tmp_path):
    file = tmp_path / 'bad.pth'
    torch.save(dict(state_dict=Call(*args)), file)
    with pytest.raises(
        (pickle.UnpicklingError, ValueError), match=r'refused|builtins\.object|GLOBAL object'
    ):
        load_checkpoint(nn.Linear(1, 1), str(file))


class Filled:
    """Unpickles as an array with a state of choice."""

    def __init__(self, *state):
        self.state = state

    def __reduce__(self):
        return RECONSTRUCT, (np.ndarray, (0,), b'b'), (1, *self.state)


@pytest.mark.parametrize(
    'state',
    [
        ((9,), np.dtype('f8'), False, b'A' * 8),
        ((-1, -1), np.dtype('f8'), False, b'A' * 8),
        ((1,), np.dtype('f8'), False, [None]),
        ((1,), 'O', False, b'A' * 8),
    ],
)
def test_array_whose_state_does_not_fit_is_refused(state, tmp_path):
    file = tmp_path / 'bad.pth'
    torch.save(dict(state_dict=Filled(*state)), file)
    with pytest.raises(ValueError, match='refused'):
        load_checkpoint(nn.Linear(1, 1), str(file))


@pytest.mark.parametrize(
    'args',
    [
        (HistoryBuffer, '__init__'),
        (HistoryBuffer, '__class__'),
        (HistoryBuffer, 'statistics'),
        (np.ndarray, 'min'),
    ],
)
def test_getattr_of_anything_but_a_statistic_is_refused(tmp_path, args):
    file = tmp_path / 'bad.pth'
    torch.save(dict(state_dict=Call(getattr, *args)), file)
    with pytest.raises((pickle.UnpicklingError, ValueError), match='refused'):
        load_checkpoint(nn.Linear(1, 1), str(file))


def test_array_of_objects_is_refused(tmp_path):
    file = tmp_path / 'bad.pth'
    torch.save(dict(state_dict=np.array([None, 1])), file)
    with pytest.raises(ValueError, match="refused .* 'O8'"):
        load_checkpoint(nn.Linear(1, 1), str(file))


def test_torch_load_is_pytorchs_own():
    assert torch.load.__module__ == 'torch.serialization'
    assert not hasattr(torch.load, '__wrapped__')

# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""What a .pt2 file may hold, and what it must not."""

import io
import json
import pickle
import zipfile

import pytest
import torch

from mmhires.deploy import Predictor
from mmhires.deploy.archive import read_archive
from mmhires.deploy.expressions import check_expression, check_guard


class Touch:
    """Writes a file when it is unpickled."""

    def __init__(self, file):
        self.file = file

    def __reduce__(self):
        return open, (str(self.file), 'w')


@pytest.fixture
def rewritten(exported_ddrnet, tmp_path):
    """The file with some of its members changed."""

    def rewritten(change):
        out = tmp_path / 'changed.pt2'
        with (
            zipfile.ZipFile(exported_ddrnet['.pt2']) as source,
            zipfile.ZipFile(out, 'w') as target,
        ):
            for name in source.namelist():
                for new, content in change(name, source.read(name)):
                    target.writestr(new, content)
        return out

    return rewritten


def hostile(file, form):
    buffer = io.BytesIO()
    if form == 'pickle':
        return pickle.dumps(Touch(file))
    torch.save((Touch(file),), buffer)
    return buffer.getvalue()


def test_file_is_loaded_as_it_is(rewritten, image):
    assert Predictor(rewritten(lambda *member: [member]))(image).size


@pytest.mark.parametrize('form', ['torch', 'pickle'])
@pytest.mark.parametrize('where', ['data/sample_inputs/model.pt', 'data/weights/weight_3'])
def test_pickles_run_no_code(where, form, rewritten, tmp_path):
    victim = tmp_path / 'victim'

    def change(name, content):
        if name.endswith(where):
            content = hostile(victim, form)
        if name.endswith('weights_config.json'):
            content = content.replace(b'"use_pickle": false', b'"use_pickle": true')
        yield name, content

    with pytest.raises(ValueError, match='more than tensors') as caught:
        Predictor(rewritten(change))
    assert '\n' not in str(caught.value) and 'changed.pt2' in str(caught.value)
    assert not victim.exists()


def test_files_of_old_pytorch_run_no_code_either(tmp_path):
    victim, file = tmp_path / 'victim', tmp_path / 'old.pt2'
    for part in ('state_dict', 'constants', 'example_inputs'):
        with zipfile.ZipFile(file, 'w') as archive:
            archive.writestr('version', '8.2')
            archive.writestr(f'serialized_{part}.pt', hostile(victim, 'torch'))
        with pytest.raises(ValueError, match=f'{part}.pt holds more than'):
            Predictor(file)
    assert not victim.exists()


def in_program(change):

    def members(name, content):
        if name.endswith('models/model.json'):
            program = json.loads(content)
            change(program)
            content = json.dumps(program)
        yield name, content

    return members


CODE = "__import__('os').system('false')"


def set_target(program):
    program['graph_module']['graph']['nodes'][3]['target'] = 'torch.os.system'


def set_guard(program):
    program['guards_code'] = [CODE]


def set_size(program):
    values = program['graph_module']['graph']['tensor_values'].values()
    size = dict(as_expr=dict(expr_str=CODE, hint=None))
    next(iter(values))['sizes'][0] = size


def set_name(program):
    node = program['graph_module']['graph']['nodes'][3]
    node['name'] = 'x\nimport os'


def set_tree(program):
    signature = program['graph_module']['module_call_graph'][0]['signature']
    signature['in_spec'] = json.dumps(
        [
            1,
            dict(
                type='collections.defaultdict',
                context='{"default_factory_module": "os"}',
                children_spec=[],
            ),
        ]
    )


@pytest.mark.parametrize('change', [set_target, set_guard, set_size, set_name, set_tree])
def test_graph_that_is_more_than_a_network_is_refused(change, rewritten):
    with pytest.raises(ValueError, match='is not part of a network'):
        Predictor(rewritten(in_program(change)))


@pytest.mark.parametrize(
    'change, message',
    [
        (
            lambda name, data: [(name, data), ('archive/data/aotinductor/m/a.so', '')][
                : 1 + name.endswith('model.json')
            ],
            'aotinductor.*no exported network',
        ),
        (
            lambda name, data: [(name, data), (name.upper(), data)][
                : 1 + name.endswith('weight_1')
            ],
            'no exported network|two members',
        ),
        (lambda name, data: [(name, data.replace(b'tensor_0', b'opaque_obj_0'))], 'not a tensor'),
    ],
)
def test_other_members_are_refused(change, message, rewritten):
    with pytest.raises(ValueError, match=message):
        Predictor(rewritten(change))


def test_something_before_the_archive_is_refused(exported_ddrnet, tmp_path):
    file = tmp_path / 'shifted.pt2'
    file.write_bytes(b'#' * 64 + exported_ddrnet['.pt2'].read_bytes())
    with pytest.raises(ValueError, match='before its first|not a whole'):
        read_archive(file)


def test_damaged_weights_are_found(exported_ddrnet, tmp_path, capfd):
    content = bytearray(exported_ddrnet['.pt2'].read_bytes())
    content[len(content) // 2] ^= 1
    (tmp_path / 'm.pt2').write_bytes(content)
    with pytest.raises(ValueError, match='weight_[0-9]+ is damaged'):
        Predictor(tmp_path / 'm.pt2')
    assert capfd.readouterr().err == ''


def test_file_holds_neither_the_picture_nor_paths(exported_ddrnet, repo_root):
    with zipfile.ZipFile(exported_ddrnet['.pt2']) as archive:
        inputs = next(n for n in archive.namelist() if 'sample_inputs' in n)
        (example,), _ = torch.load(io.BytesIO(archive.read(inputs)))
        assert example.shape == (1, 3, 94, 129) and not example.any()
        program = next(n for n in archive.namelist() if 'model.json' in n)
        assert str(repo_root).encode() not in archive.read(program)


@pytest.mark.parametrize(
    'text',
    [
        's0',
        '8*(s0//8) - 1',
        'Max(1, s6)',
        "Add(FloorDiv(Symbol('s6', positive=True, integer=True), Integer(8)), 1)",
    ],
)
def test_arithmetic_of_sizes_is_let_through(text):
    assert check_expression(text)


@pytest.mark.parametrize('text', ["1 < 3*L['image'].size()[3]", "L['image'].shape[2] % 8 == 0"])
def test_comparisons_of_sizes_are_let_through(text):
    assert check_guard(text) and not check_expression(text)


@pytest.mark.parametrize(
    'text',
    [
        CODE,
        "Add('exec(1)', 1)",
        'exec(1)',
        '(lambda: 1)()',
        's0.__class__',
        'Symbol("__import__(\'os\')")',
        '[x for x in y]',
        's0; s1',
        "L['a'].__class__",
        "L['a'].size().__init__()",
        'L[0](1)',
        "f'{s0}'",
    ],
)
def test_other_python_is_not(text):
    assert not check_expression(text) and not check_guard(text)

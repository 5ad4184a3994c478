# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""The command ``mmhires`` and the names that its subcommands had before."""

import resource
import runpy
import subprocess
import sys
from types import SimpleNamespace

import pytest

from mmhires.cli import COMMANDS, main, options
from mmhires.version import __version__

# By the path below tools/, or the module, of old.
OLD = {
    'image_demo.py': 'paint',
    'demo.py': 'demo',
    'deployment/export.py': 'export',
    'deployment/predict.py': 'predict',
    'analysis_tools/get_flops.py': 'flops',
    'analysis_tools/benchmark.py': 'benchmark',
    'analysis_tools/compare_configs.py': 'compare',
    'analysis_tools/pareto.py': 'pareto',
    'analysis_tools/feature_maps.py': 'features',
    'model_converters/convert.py': 'convert checkpoint',
    'model_converters/extract_student.py': 'convert student',
    'model_converters/map_classes.py': 'convert classes',
    'dataset_converters/camvid.py': 'convert camvid',
    'mmhires': '',
}


def help_of(*argv, run=main):
    with pytest.raises(SystemExit) as stop:
        run([*argv, '--help'])
    assert not stop.value.code


@pytest.mark.parametrize('old', OLD)
def test_old_name_does_what_the_new_command_does(old, call_tool, capsys, monkeypatch):
    if old.endswith('.py'):
        assert call_tool(old, '--help') is None
    else:
        monkeypatch.setattr(sys, 'argv', [old, '--help'])
        monkeypatch.delitem(sys.modules, f'{old}.__main__', raising=False)
        with pytest.raises(SystemExit) as stop:
            runpy.run_module(old, run_name='__main__')
        assert not stop.value.code
    said = capsys.readouterr().out
    if OLD[old]:
        help_of(*OLD[old].split())
    else:
        assert main(['--help']) == 0
    assert said == capsys.readouterr().out
    assert said.startswith(f'usage: mmhires {OLD[old]}'.rstrip())


@pytest.mark.parametrize('argv', [[], ['adapt'], ['predict'], ['compare']], ids=' '.join)
def test_help_is_there_in_half_a_second(argv):
    times = []
    while min(times, default=1) >= 0.5 and len(times) < 3:  # a busy machine
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        said = subprocess.run(
            [sys.executable, '-m', 'mmhires', *argv, '--help'],
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        assert said.startswith('usage: mmhires')
        times.append(after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime)
    assert min(times) < 0.5


def test_help_names_every_command_and_every_command_has_help(capsys):
    assert main(['--help']) == 0
    page = capsys.readouterr().out
    for name, does in COMMANDS.items():
        assert f'  {name:<20}{does}\n' in page
        help_of(*name.split())
        assert capsys.readouterr().out.startswith(f'usage: mmhires {name} ')


def test_no_command_shows_help_and_versions(capsys):
    assert main([]) == 0
    said = capsys.readouterr().out
    assert said.startswith('usage: mmhires') and 'device' in said
    assert main(['--version']) == 0
    assert capsys.readouterr().out == f'mmhires {__version__}\n'
    assert main(['convert']) == 0
    assert 'convert camvid' in capsys.readouterr().out


@pytest.mark.parametrize(
    'argv, reason',
    [
        (['adpt'], "no command 'adpt'; did you mean 'adapt'?"),
        (['convert', 'camvd'], "did you mean 'convert camvid'?"),
        (['predict'], 'the following arguments are required: model, input'),
        (['export', 'm.onnx'], 'give CONFIG and CHECKPOINT, or --model NAME'),
        (['paint', 'a.png'], 'a.png does not exist'),
        (['adapt', 'dsrl'], 'give CONFIG, or --model NAME'),
        (['adapt', 'dsrl', 'no.py', '--steps', '-1'], '--steps: must be at least'),
        (['check', 'a.py', '--model', 'b'], 'not both'),
        (['check', 'no.py'], 'no.py: '),
        (['check', '--model', 'ddrnet-23_cityscape'], 'did you mean ddrnet-23_cityscapes'),
        (['flops', '--model', 'ddrnet-39_imagenet'], 'is a backbone'),
        (['flops'], 'give CONFIG, or --model NAME'),
        (['flops', 'no.py'], 'no.py'),
        (['benchmark', 'no.py', '--shape', '8', '8'], 'no.py'),
        (['compare', '--from', 'no.json'], '--from no.json'),
        (['compare'], 'give configs to train, or --from'),
        (['features', 'a.png', '--model', 'a.py'], 'a config and a checkpoint'),
        (['pareto', 'no.json'], 'no.json'),
        (['convert', 'checkpoint', 'a', 'b', '--source', 'x'], "invalid choice: 'x'"),
        (['convert', 'checkpoint', 'a', 'b', '--source', 'ddrnet'], "'a'"),
        (['convert', 'camvid', 'no', 'new'], 'holds neither layout'),
        (['zoo', 'ddrnet-32'], 'did you mean'),
        (['demo', '--iters', 'many'], "invalid number value: 'many'"),
    ],
    ids=lambda value: ' '.join(value) if isinstance(value, list) else '',
)
def test_bad_input_is_one_line_and_exit_code_2(argv, reason, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    try:
        code = main(argv)
    except SystemExit as stop:
        code = stop.code
    error = capsys.readouterr().err.splitlines()
    name = next((name for name in COMMANDS if argv[: len(name.split())] == name.split()), '')
    assert code == 2 and reason in error[-1], error
    assert error[-1].startswith(f'mmhires {name}: '.replace(' :', ':'))
    assert [line for line in error if line.startswith('mmhires')] == error[-1:]
    assert not list(tmp_path.iterdir())


def test_the_place_of_an_error_is_shown_on_demand(monkeypatch):
    monkeypatch.setenv('MMHIRES_TRACEBACK', '1')
    with pytest.raises(OSError, match=r'no\.json'):
        main(['pareto', 'no.json'])


def test_a_name_of_the_zoo_is_a_config():
    given = dict(config=None, model='dabnet_cityscapes')
    path = options.read_config(SimpleNamespace(**given))
    assert path.endswith('configs/dsrl/dabnet_4xb2-372k_cityscapes-512x1024.py')
    given = dict(configs=['a.py'], model=['dabnet_cityscapes'])
    assert options.read_configs(SimpleNamespace(**given)) == ['a.py', path]

# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""HRFR from a training in two processes to its student alone."""

from functools import partial

import pytest
import torch
from mmseg.apis import inference_model, init_model

CONFIG = """
_base_ = {base!r}
custom_imports = dict(imports=['mmhires', 'keep_ranks'])
custom_hooks = [dict(type='KeepRanks')]
# The squares of 64 channels, summed up, are not a small loss.
optim_wrapper = dict(optimizer=dict(lr=1e-4))
model = dict(
    type='mmhires.HRFR',
    data_preprocessor=dict(
        type='mmhires.LowResSegDataPreProcessor', scale=2,
        test_cfg=dict(size_divisor=64)),
    neck=dict(
        type='mmhires.SRRNeck', in_channels=64, bottleneck=16,
        aux_channels=(16, 32)),
    teacher=_base_.model,
    teacher_ckpt={teacher!r})
"""
HOOK = """
import torch
from mmengine.hooks import Hook
from mmengine.registry import HOOKS

@HOOKS.register_module()
class KeepRanks(Hook):
    def after_train(self, runner):
        model = runner.model.module
        torch.save(
            dict(student=dict(model.named_parameters()),
                 teacher=model.teacher.state_dict()),
            f'{runner.work_dir}/rank{runner.rank}.pth')
"""


@pytest.fixture(scope='module')
def trained(tiny, tiny_weights, run, repo_root, free_port, tmp_path_factory):
    """Work directory of a training in two processes."""
    folder = tmp_path_factory.mktemp('hrfr')
    (folder / 'keep_ranks.py').write_text(HOOK)
    (folder / 'hrfr.py').write_text(
        CONFIG.format(base=str(tiny / 'tiny.py'), teacher=str(tiny_weights))
    )
    run(
        repo_root / 'tools/dist_train.sh',
        folder / 'hrfr.py',
        2,
        '--work-dir',
        folder,
        PORT=free_port(),
        PYTHONPATH=f'{repo_root}:{folder}',
    )
    return folder


@pytest.fixture
def tool(call_tool):
    """Run a script in this process, which saves the imports."""
    return lambda name, *args: call_tool(f'model_converters/{name}.py', *args)


@pytest.fixture
def extract(trained, tool, monkeypatch):
    monkeypatch.syspath_prepend(trained)  # custom_imports of the config
    return partial(tool, 'extract_student')


@pytest.mark.slow
def test_both_processes_end_with_the_same_student_and_teacher(trained, tiny_weights):
    ranks = [torch.load(trained / f'rank{i}.pth') for i in (0, 1)]
    for key, value in ranks[0]['student'].items():
        torch.testing.assert_close(ranks[1]['student'][key], value, rtol=0, atol=0)
    given = torch.load(tiny_weights)
    for rank in ranks:
        for key, value in rank['teacher'].items():
            torch.testing.assert_close(value, given[key], rtol=0, atol=0)
    name = 'backbone.conv1.weight'
    assert (ranks[0]['student'][name] != given[name]).any()


@pytest.mark.slow
def test_extracted_student_predicts_the_same_without_a_teacher(trained, extract, tmp_path):
    out = tmp_path / 'new/student.pth'
    extract(trained / 'hrfr.py', trained / 'iter_2.pth', out)
    written = out.with_suffix('.py').read_text()
    assert 'teacher' not in written and 'HRFR' not in written
    weights = torch.load(out, weights_only=True)['state_dict']
    assert not any('aux_srr' in key for key in weights)
    models = [
        init_model(str(config), str(checkpoint), device='cpu')
        for config, checkpoint in (
            (trained / 'hrfr.py', trained / 'iter_2.pth'),
            (out.with_suffix('.py'), out),
        )
    ]
    assert type(models[1]).__name__ == 'EncoderDecoder'
    assert models[1].dataset_meta['classes'] == ('dark', 'bright')
    image = torch.randint(0, 256, (61, 90, 3), dtype=torch.uint8).numpy()
    results = [inference_model(model, image) for model in models]
    torch.testing.assert_close(*(result.seg_logits.data for result in results), rtol=0, atol=0)


@pytest.mark.parametrize(
    'config, checkpoint, message',
    [
        ('tiny.py', 'bright.pth', 'only a model with a teacher'),
        ('hrfr.py', 'bright.pth', 'not of this config'),
        ('hrfr.py', 'no.pth', 'no.pth'),
    ],
)
def test_what_cannot_be_extracted_is_said_without_a_traceback(
    config, checkpoint, message, trained, tiny, extract, tmp_path
):
    folder = trained if config == 'hrfr.py' else tiny
    error = extract(folder / config, tiny / checkpoint, tmp_path / 'x.pth')
    assert error.startswith('mmhires convert student: ')
    assert message in error and '\n' not in error
    assert not list(tmp_path.iterdir())


def torn(path, weights):
    path.write_bytes(weights.read_bytes()[:-5000])


def pickled_list(path, _):
    torch.save([1, 2], path)


def other_content(path, _):
    torch.save(dict(state_dict=dict(epoch=1), meta={}), path)


def text(path, _):
    path.write_text('<html>quota exceeded</html>')


@pytest.mark.parametrize('bad', [torn, pickled_list, other_content, text])
@pytest.mark.parametrize('name', ['extract_student', 'map_classes'])
def test_a_file_that_is_not_a_checkpoint_is_named_in_one_line(
    name, bad, tool, tiny_weights, tmp_path, repo_root
):
    path, out = tmp_path / 'bad.pth', tmp_path / 'new/out.pth'
    bad(path, tiny_weights)
    configs = repo_root / 'configs'
    args = [next(configs.glob('demo/hrfr_*.py')), path, out]
    if name == 'map_classes':
        args = [
            path,
            out,
            '--class-map',
            configs / '_base_/class_maps/cityscapes_to_camvid.py',
            '--dataset',
            'mmhires.CamVidDataset',
        ]
    error = tool(name, *args)
    assert str(path) in error and '\n' not in error
    assert not out.parent.exists()

# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Of ``benchmark``, ``compare_configs``, ``get_flops`` and ``pareto``."""

import json
from concurrent.futures import Executor, Future

import numpy as np
import pytest


@pytest.fixture
def tool(call_tool, capsys):
    """Run a script; the rows of its tables, by first column, and its text."""

    def tool(name, *args):
        error = call_tool(f'analysis_tools/{name}.py', *args)
        if error:
            raise ValueError(error)
        out = capsys.readouterr().out
        rows = [
            [cell.strip() for cell in line.strip('│\n').split('│')]
            for line in out.splitlines()
            if line.startswith('│')
        ]
        return {row[0]: row[1:] for row in rows}, out

    return tool


@pytest.fixture
def low(tiny, tmp_path):
    """``tiny.py`` on images reduced by two."""
    config = tmp_path / 'low.py'
    config.write_text(
        f'_base_ = {str(tiny / "tiny.py")!r}\n'
        'model = dict(data_preprocessor=dict(_delete_=True, '
        "type='mmhires.LowResSegDataPreProcessor', scale=2, "
        'low_res_label=True))'
    )
    return config


def test_a_network_of_many_times_the_cost_is_slower(tool, tiny, tmp_path):
    config = tmp_path / 'wide.py'
    config.write_text(
        f'_base_ = {str(tiny / "tiny.py")!r}\n'
        'model = dict(backbone=dict(base_channels=64,\n'
        'stem_channels=64), decode_head=dict(in_channels=512))'
    )
    rows, out = tool(
        'benchmark',
        config,
        tiny / 'tiny.py',
        '--shape',
        '64',
        '96',
        '--repeats',
        '3',
        '--threads',
        '1',
    )
    assert list(rows) == ['wide', 'tiny']
    assert rows['wide'][0] == rows['tiny'][0] == '64x96'
    assert rows['wide'][5:] == ['1.00x'] * 3
    for column, ratio in ((1, 5), (2, 6), (4, 7)):
        wide, small = (float(rows[name][column]) for name in rows)
        assert wide / small > 1.5
        assert float(rows['tiny'][ratio][:-1]) == pytest.approx(wide / small, rel=0.15)
    assert 'inference, 64x96 inputs, batch 1, CPU' in out
    assert '1 thread, fp32, torch' in out


def test_configs_of_one_file_name_are_told_apart_by_their_folders(tool, tiny, tmp_path):
    configs = []
    for folder in ('first', 'second'):
        (tmp_path / folder).mkdir()
        configs.append(tmp_path / folder / 'mine.py')
        configs[-1].write_text(f'_base_ = {str(tiny / "tiny.py")!r}\n')
    rows, _ = tool(
        'benchmark',
        *configs,
        configs[0],
        '--shape',
        '32',
        '32',
        '--repeats',
        '2',
        '--warmup',
        '0',
        '--threads',
        '1',
    )
    assert list(rows) == ['first/mine', 'second/mine', 'first/mine (2)']


def test_an_image_is_reduced_as_each_model_s_preprocessor_does(tool, tiny, low):
    rows, _ = tool(
        'benchmark',
        tiny / 'tiny.py',
        low,
        '--image',
        '128',
        '256',
        '--repeats',
        '2',
        '--threads',
        '1',
    )
    assert rows['tiny'][0] == '128x256' and rows['low'][0] == '64x128'
    assert float(rows['low'][5][:-1]) == pytest.approx(4, rel=0.1)


@pytest.mark.parametrize('size', [('--image', 128, 256), ('--shape', 64, 128)])
def test_training_is_timed_at_full_size_too_and_recorded(size, tool, low, tmp_path):
    rows, out = tool(
        'benchmark',
        low,
        *size,
        '--full-size',
        '--train',
        '--batch',
        '2',
        '--repeats',
        '2',
        '--threads',
        '1',
        '--out',
        tmp_path / 'out',
    )
    assert rows['low'][0] == '64x128'
    assert rows['low, full size'][0] == '128x256'
    assert float(rows['low, full size'][6][:-1]) < 1
    assert float(rows['low, full size'][7][:-1]) < 0.5
    (record,) = (tmp_path / 'out').glob(f'training_low_{size[1]}x{size[2]}-*_batch-2_cpu-*.json')
    assert record.name.startswith(out.split('out/')[-1].split('.json')[0])
    record = json.loads(record.read_text())
    assert [row['config'] for row in record['results']] == list(rows)
    assert [row['input'] for row in record['results']] == ['64x128', '128x256']
    assert record['precision'] == 'fp32'


def test_full_size_of_a_model_that_reduces_nothing_is_refused(tool, tiny):
    with pytest.raises(ValueError, match='tiny reduces no images'):
        tool('benchmark', tiny / 'tiny.py', '--shape', 64, 96, '--full-size')


def test_costs_are_those_of_what_the_network_sees_of_an_image(tool, tiny, low, tmp_path):
    """Half the sides are a quarter of the cost, whatever it is padded to."""
    padded = tmp_path / 'padded.py'
    padded.write_text(
        f'_base_ = {str(low)!r}\nmodel = dict('
        'data_preprocessor=dict(scale=1.5, test_cfg=dict('
        'size_divisor=96)))'
    )
    rows, _ = tool('get_flops', tiny / 'tiny.py', low, padded, '--shape', 96, 186)
    sizes = {name: row[4:] for name, row in rows.items()}
    assert sizes == dict(
        tiny=['96x186', '96x186'], low=['96x186', '48x93'], padded=['96x186', '64x128']
    )
    assert float(rows['low'][3][:-2]) == pytest.approx(-75, abs=3)
    full, _ = tool('get_flops', tiny / 'tiny.py', '--shape', 64, 128)
    assert rows['padded'][0] == full['tiny'][0]


def test_branches_add_up_and_records_go_on_to_the_picture(tool, tiny, tmp_path):
    rows, _ = tool(
        'get_flops', tiny / 'tiny.py', '--shape', 64, 96, '--per-branch', '--out', tmp_path
    )
    assert float(rows['total'][0]) == pytest.approx(float(rows['tiny'][0]), abs=2e-3)
    parts = ('backbone', 'decode_head.convs', 'decode_head.conv_seg', 'rest')
    for column in (0, 1):
        assert sum(float(rows[part][column]) for part in parts) == pytest.approx(
            float(rows['total'][column]), abs=2e-3
        )
    (tmp_path / 'run.json').write_text(json.dumps(dict(mIoU=50.0)))
    rows, _ = tool(
        'pareto',
        tmp_path / 'complexity_tiny_64x96.json',
        f'tiny={tmp_path / "run.json"}',
        '--out',
        tmp_path / 'pareto.png',
    )
    assert rows['tiny'][1:] == ['50', 'yes']
    assert (tmp_path / 'pareto.png').read_bytes().startswith(b'\x89PNG')


def test_pareto_answers_a_missing_file_and_a_missing_number_in_a_line(tool, tmp_path):
    with pytest.raises(ValueError, match='mmhires pareto: .*nowhere.json'):
        tool('pareto', tmp_path / 'nowhere.json')
    (tmp_path / 'a.json').write_text('[{"config": "a", "gmacs": 1}]')
    with pytest.raises(ValueError, match="a has no 'mIoU'"):
        tool('pareto', tmp_path / 'a.json')
    assert not list(tmp_path.glob('*.png'))


def test_differences_are_to_the_baseline_named_and_paired_by_seed(tool, tmp_path):
    values = dict(plain=[50.0, 52.0, 54.0], ours=[53.0, 56.0, 56.0], more=[54.0] * 3, few=[54.0])
    (tmp_path / 'r.json').write_text(
        json.dumps(
            {
                name: [dict(seed=seed, metrics=dict(mIoU=value)) for seed, value in enumerate(row)]
                for name, row in values.items()
            }
        )
    )
    kept = '--from', tmp_path / 'r.json'
    rows, _ = tool('compare_configs', *kept)
    assert rows['plain'] == ['52.00 ± 2.00', '', '', '']
    # 3, 4 and 2: t of two degrees of freedom is 4.303, 1 / sqrt(3) the error
    assert rows['ours'][1:3] == ['+3.00', '+0.52 to +5.48, p = 0.035']
    rows, _ = tool('compare_configs', *kept, '--baseline', 'configs/ours.py')
    assert rows['plain'][1] == '-3.00' and rows['ours'][1] == ''
    assert rows['more'][1] == '-1.00'
    # One seed: to the baseline's of that seed, without interval.
    assert rows['few'] == ['54.00 ± 0.00', '+1.00', '', '']
    with pytest.raises(ValueError, match='--baseline theirs is none of'):
        tool('compare_configs', *kept, '--baseline', 'theirs')


@pytest.mark.parametrize(
    ('args', 'said'),
    [
        (('--seeds', 0, 0), 'seed 0 is given twice'),
        (('--seeds', 2, -1), '--seeds: must be at least 0, got -1'),
        (('--jobs', 0), '--jobs: must be at least 1, got 0'),
        (('--block', 0), '--block: must be at least 1, got 0'),
        (('--threads', -2), '--threads: must be at least 1, got -2'),
    ],
)
def test_options_that_cannot_be_are_refused_before_training(
    args, said, tool, tiny, tmp_path, capsys
):
    with pytest.raises(ValueError):
        tool('compare_configs', tiny / 'tiny.py', '--work-dir', tmp_path, *args)
    assert said in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_one_config_twice_is_no_comparison(tool, tiny, tmp_path, capsys):
    (tmp_path / 'link.py').symlink_to(tiny / 'tiny.py')
    with pytest.raises(ValueError):
        tool(
            'compare_configs',
            tiny / 'tiny.py',
            tmp_path / 'link.py',
            '--work-dir',
            tmp_path / 'runs',
        )
    assert 'tiny.py is given twice' in capsys.readouterr().err


def test_split_that_is_not_there_is_refused_before_training(tool, tiny, tmp_path):
    with pytest.raises(ValueError, match='tiny.py: --split test: nothing in the test'):
        tool(
            'compare_configs', tiny / 'tiny.py', '--split', 'test', '--work-dir', tmp_path / 'runs'
        )
    assert not (tmp_path / 'runs').exists()


def test_records_are_paired_once_and_say_what_is_missing(tool, tmp_path):

    def table(*args, **rows):
        (tmp_path / 'r.json').write_text(
            json.dumps(
                {
                    name: [dict(seed=seed, metrics=metrics) for seed, metrics in records]
                    for name, records in rows.items()
                }
            )
        )
        return tool('compare_configs', '--from', tmp_path / 'r.json', *args)

    a, b, c = ((seed, {'mIoU': 50.0 + seed, 'IoU.pole': 9.0}) for seed in range(3))
    with pytest.raises(ValueError, match='ours has several records of one'):
        table(plain=[a, b], ours=[a, a])
    with pytest.raises(ValueError, match=r"mIuO: none of \['IoU.pole'"):
        table('--metrics', 'mIuO', plain=[a, b])
    rows, out = table(
        '--metrics',
        'IoU.pole',
        plain=[a, b, c],
        ours=[(0, {'IoU.pole': 12.0}), (1, {}), (2, {'IoU.pole': 14.0})],
    )
    assert rows['ours'][:2] == ['13.00 ± 1.41', '+4.00']
    assert 'ours: IoU.pole is a number in 2 of 3 runs' in out
    # Equal to the rounding in both seeds: no certainty.
    rows, _ = table(plain=[a, b], ours=[(0, dict(mIoU=51.0)), (1, dict(mIoU=52.0))])
    assert rows['ours'][1:3] == ['+1.00', '']


@pytest.mark.parametrize('blocks', [5, 11, 12])
def test_few_blocks_have_no_interval_and_say_how_many_images_it_takes(blocks, tool, tmp_path):

    def record(right):
        areas = [[[right + block, 50], [100, 100]] for block in range(blocks)]
        return dict(
            seed=0,
            metrics=dict(mIoU=(right + 50) / 2),
            areas=areas,
            images=blocks * 15 - 4,
            block=15,
            classes=['a', 'b'],
            groups={},
        )

    (tmp_path / 'r.json').write_text(json.dumps(dict(plain=[record(40)], ours=[record(44)])))
    rows, out = tool('compare_configs', '--from', tmp_path / 'r.json')
    if blocks < 12:
        assert rows['ours'] == ['47.00 ± 0.00', '+2.00', '', '']
        assert (
            f'mIoU has no interval over blocks: {blocks} have its '
            f'classes, 12 are needed ({(12 - blocks) * 15 + 4} more test '
            'images in blocks of 15)'
        ) in out
    else:
        assert rows['ours'][3] == '+2.00 to +2.00, p = 0.0045'
        assert 'no interval' not in out


def counted(tiny):
    """A config whose metric keeps the areas of each image."""
    return (
        f'_base_ = {str(tiny / "tiny.py")!r}\n'
        "test_evaluator = dict(type='mmhires.ClasswiseIoUMetric')\n"
    )


class Here(Executor):
    """A pool that works in this process, which saves the imports."""

    def __init__(self, jobs, fresh):
        pass

    def submit(self, task, /, *args):
        future = Future()
        future.set_result(task(*args))
        return future


@pytest.mark.slow
def test_comparisons_of_one_folder_are_those_of_fresh_ones(
    tool, tiny, tiny_weights, tmp_path, monkeypatch, caplog
):
    """Two configs of one name, other options, other first weights."""
    for name in ('x', 'y'):
        (tmp_path / name).mkdir()
    scratch, pretrained = (tmp_path / f'{name}/mine.py' for name in 'xy')
    scratch.write_text(counted(tiny))
    pretrained.write_text(counted(tiny) + f'load_from = {str(tiny_weights)!r}\n')
    monkeypatch.setattr('mmhires.utils.processes.process_pool', Here)

    def compare(folder, *args):
        caplog.clear()
        tool(
            'compare_configs',
            *args,
            '--seeds',
            '0',
            '--block',
            '3',
            '--work-dir',
            tmp_path / folder,
            '--out',
            tmp_path / 'out.json',
        )
        results = json.loads((tmp_path / 'out.json').read_text())
        return {
            name: (record['metrics'], record['areas']) for name, (record,) in results.items()
        }, caplog.text

    both, _ = compare('runs', scratch, pretrained)
    assert list(both) == ['x/mine', 'y/mine']
    areas = (tmp_path / 'runs/x/mine/seed0/areas.json').read_text()
    images = np.array(json.loads(areas)['areas'])
    assert images.shape == (4, 2, 2)
    # Added up to blocks of three images, the last of which is smaller.
    assert both['x/mine'][1] == [images[:3].sum(0).tolist(), images[3:].sum(0).tolist()]
    # First weights are now the other's, and steps change nothing.
    options = '--cfg-options', 'train_cfg.max_iters=1', 'optim_wrapper.optimizer.lr=0.'
    other, said = compare('runs', pretrained, scratch, *options)
    fresh, _ = compare('fresh', pretrained, scratch, *options)
    assert other == fresh and other['x/mine'] == other['y/mine']
    assert other['x/mine'] != both['x/mine']
    assert 'initial_seed0.pth is of something else: start was None' in said
    assert 'config.train_cfg.max_iters was 2, is 1' in said

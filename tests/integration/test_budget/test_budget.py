# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""``mmhires budget``: a trained network at other input sizes."""

import argparse
import json
import re
import shlex
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config

from mmhires import analysis
from mmhires.analysis import read_results
from mmhires.analysis.page import BROKEN, FIXED, scene
from mmhires.budget.answer import Row, answer, lost, over_size_alone
from mmhires.budget.network import TrainedNetwork
from mmhires.cli import adapt, main

DEMO = Path(__file__).resolve().parents[3] / 'configs/demo'
WEIGHTS = str(DEMO / 'deeplabv3plus-r18s_streets-192x384.pth')
FULL = 'deeplabv3plus-r18s_1xb8-3000_streets-192x384.py'
PLAIN = 'deeplabv3plus-r18s_1xb4-400_streets-96x192.py'
SIZE = (96, 192)
IMAGES = 3


def write_config(folder, name):
    """A config of the demo for a few small streets."""
    cfg = Config.fromfile(DEMO / name)
    cfg.test_dataloader.update(num_workers=0, persistent_workers=False)
    cfg.test_dataloader.dataset.update(size=SIZE, length=IMAGES, cache=str(folder / 'streets'))
    cfg.model.data_preprocessor.size = SIZE
    cfg.crop_size = SIZE
    cfg.train_pipeline = [dict(type='PackSegInputs')]
    cfg.train_dataloader.dataset.update(size=SIZE)
    path = folder / name
    cfg.dump(path)
    return str(path)


@pytest.fixture(scope='module')
def configs(tmp_path_factory):
    folder = tmp_path_factory.mktemp('configs')
    return [write_config(folder, name) for name in (FULL, PLAIN)]


@pytest.fixture(scope='module')
def argv(configs, tmp_path_factory):
    out = tmp_path_factory.mktemp('out')
    return [
        'budget',
        configs[0],
        WEIGHTS,
        '--scales',
        '1',
        '1.5',
        '2',
        '--cost',
        '0.5',
        '0.25',
        '--students',
        f'{configs[1]}:{WEIGHTS}',
        '--out-dir',
        str(out),
    ]


@pytest.fixture(scope='module')
def measured(argv):
    assert main(argv) == 0
    out = Path(argv[-1])
    return out, json.loads((out / 'budget.json').read_text())


def test_accuracy_is_that_of_tools_test_at_every_size(configs, measured, tmp_path):
    rows = {row['config']: row for row in measured[1]['results']}
    assert list(rows) == ['96x192', '64x128', '48x96', Path(PLAIN).stem]
    for name, scale in (('96x192', 1), ('64x128', 1.5)):
        cfg = Config.fromfile(configs[0])
        cfg.model.data_preprocessor.update(
            scale=scale, size=None, test_cfg=dict(size_divisor=int(16 * scale))
        )
        want = analysis.test_weights(cfg, str(tmp_path / name), WEIGHTS)
        assert want['mIoU'] > 20
        for metric, value in want.items():
            assert rows[name][metric] == pytest.approx(value, nan_ok=True)


def test_cost_falls_with_the_square_of_the_sides(measured):
    costs = {row['scale']: row['gmacs'] for row in measured[1]['results'][:3]}
    for scale, cost in costs.items():
        assert cost == pytest.approx(costs[1] / scale**2, rel=0.01)


def test_a_student_that_is_the_same_network_is_as_good_as_its_size(measured):
    *_, half, student = measured[1]['results']
    assert student['trained'] and not half['trained']
    for key in ('gmacs', 'mIoU', 'mBIoU'):
        assert student[key] == pytest.approx(half[key])


def test_each_size_is_timed_in_each_engine_that_is_here(measured):
    for engine in ('PyTorch', 'ONNX Runtime', 'OpenVINO'):
        if engine != 'PyTorch':
            pytest.importorskip(engine.replace(' ', '').lower())
        times = [row[f'{engine}_ms'] for row in measured[1]['results']]
        assert len(times) == 4 and min(times) > 0
        assert times[0] > times[2]


def test_answers_are_of_the_best_size_within_the_budget(measured):
    rows = measured[1]['results']
    for given, row in zip(measured[1]['answers'], (rows[1], rows[2])):
        assert given['config'] == row['config']
        share, points = given['cost'], rows[0]['mIoU'] - row['mIoU']
        assert given['text'].startswith(f'At {100 * share:g} % of the cost')
        assert f'you lose {points:.1f} ' in given['text']
        assert row['input'] in given['text']
        first, *_ = given['commands'].splitlines()
        parser = argparse.ArgumentParser()
        adapt.add_arguments(parser)
        args = parser.parse_intermixed_args(shlex.split(first)[2:])
        assert args.scale == row['scale'] and args.teacher_ckpt == WEIGHTS


def test_page_needs_no_other_file_and_has_every_answer(measured):
    page = (measured[0] / 'index.html').read_text()
    sources = re.findall(r'(?:src|href)="([^"#]+)', page)
    assert all(src.startswith(('data:', 'file:///')) for src in sources)
    assert page.count('"data:image/png') > 3 * 5
    for given in measured[1]['answers']:
        assert given['text'] in page
    assert page.count('<tr') == 1 + len(measured[1]['results'])
    assert '<svg' in page and 'input size alone' in page


def test_json_is_one_that_pareto_reads(measured):
    known = read_results([str(measured[0] / 'budget.json')])
    assert set(known['64x128']) > {'gmacs', 'mIoU', 'PyTorch_ms'}


def test_what_was_measured_is_not_measured_again(argv, measured, monkeypatch, capsys):
    before = (measured[0] / 'budget.json').read_text()
    monkeypatch.delattr(TrainedNetwork, 'evaluate')
    monkeypatch.setattr('mmhires.budget.measure.measure_in_turns', None)
    assert main(argv) == 0
    assert (measured[0] / 'budget.json').read_text() == before
    assert 'made anew' not in capsys.readouterr().err
    with pytest.raises(AttributeError, match='evaluate'):
        main([*argv, '--images', '2'])


@pytest.mark.parametrize(
    'more, reason',
    [
        ('--cost 0.001', '--cost 0.001: no size reaches it; the smallest, '),
        ('--scales 2 --cost 0.2', 'no size reaches it; the smallest, 48x96, '),
        ('--scales 0.5', 'scale must be a number of at least 1, got 0.5'),
        ('--scales 40', '--scales: scale=40.0 is of no use for images of'),
    ],
)
def test_a_size_that_cannot_be_is_one_line(more, reason, configs, tmp_path, capsys):
    assert (
        main(['budget', configs[0], WEIGHTS, *more.split(), '--out-dir', str(tmp_path / 'out')])
        == 2
    )
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 1 and reason in said[0]
    assert not (tmp_path / 'out').exists()


def refused(capsys, *argv):
    assert main(['budget', *argv]) == 2
    said = capsys.readouterr().err.splitlines()
    return said[-1]


def test_a_checkpoint_of_another_network_is_one_line(configs, tmp_path, capsys):
    other = str(tmp_path / 'other.pth')
    torch.save(dict(state_dict={'backbone.a': torch.zeros(1)}), other)
    assert 'other.pth is not of this config' in refused(capsys, configs[0], other)
    assert 'other.pth is not of this config' in refused(
        capsys, configs[0], WEIGHTS, '--students', f'{configs[1]}:{other}'
    )
    assert 'none.pth does not exist' in refused(capsys, configs[0], 'none.pth')


def test_an_empty_data_set_is_one_line(configs, tmp_path, capsys):
    cfg = Config.fromfile(configs[0])
    (tmp_path / 'images').mkdir()
    cfg.test_dataloader.dataset = dict(
        type='BaseSegDataset',
        metainfo=dict(classes=['a'], palette=[[0, 0, 0]]),
        data_root=str(tmp_path),
        data_prefix=dict(img_path='images', seg_map_path='images'),
    )
    path = str(tmp_path / 'empty.py')
    cfg.dataset_meta = dict(classes=list(map(str, range(11))), palette=[[0, 0, 0]] * 11)
    cfg.dump(path)
    assert refused(capsys, path, WEIGHTS).endswith('the test data set is empty')


def test_a_student_of_other_images_is_one_line(configs, tmp_path, capsys):
    cfg = Config.fromfile(configs[1])
    cfg.test_dataloader.dataset.length = 2
    path = str(tmp_path / 'other.py')
    cfg.dump(path)
    assert 'it tests on 2 images of 11 classes' in refused(
        capsys, configs[0], WEIGHTS, '--students', f'{path}:{WEIGHTS}'
    )


def row(name, share, miou, trained=False, areas=None):
    return Row(
        name,
        1 / share**0.5,
        name,
        10 * share,
        share,
        trained,
        dict(mIoU=miou),
        dict(areas=areas) if areas else {},
        dict(PyTorch=100 * share),
    )


ROWS = [
    row('full', 1, 80.0),
    row('half', 0.25, 60.0),
    row('odd', 0.24, 64.0),
    row('small', 0.0625, 40.0),
    row('dsrl', 0.3, 71.0, True),
]


@pytest.mark.parametrize(
    'budget, best, student',
    [
        (1, 'full', None),
        (0.99, 'odd', 'dsrl'),
        (0.25, 'odd', None),
        (0.239, 'odd', None),
        (0.2, 'small', None),
    ],
)
def test_the_most_accurate_within_a_budget_is_chosen(budget, best, student):
    given = answer(ROWS, budget, 'mIoU')
    assert given.best.name == best
    assert (given.student and given.student.name) == student


def test_answer_is_in_words():
    assert answer(ROWS, 0.4, 'mIoU').text == (
        'At 40 % of the cost you lose 16.0 points of mIoU (80.0 to 64.0): '
        'images reduced by 2.04124, odd for the network; 4.2 times as fast in '
        'PyTorch. With dsrl you lose 9.0 points (71.0); 3.3 times as fast in '
        'PyTorch.'
    )


def test_a_student_is_compared_with_the_sizes_at_its_cost():
    # Between 2.5 and 10 GMACs the curve is straight over the logarithm.
    want = 71 - (60 + 20 * np.log(3 / 2.5) / np.log(4))
    assert over_size_alone(ROWS, ROWS[-1], 'mIoU') == pytest.approx(want)
    dear = row('dear', 1.5, 90.0, True)
    assert np.isnan(over_size_alone(ROWS, dear, 'mIoU'))


def test_error_of_a_loss_is_over_images_of_both():
    # Of all images one loses 10 points: none, one or two draws of four.
    full = row('a', 1, 100.0, areas=[[[10], [10]]] * 4)
    less = row('b', 0.5, 97.5, areas=[[[10], [10]]] * 3 + [[[9], [10]]])
    points, error = lost(full, less, 'mIoU')
    assert points == 2.5
    # Standard deviation of the mean of 0, 0, 0 and 10.
    assert error == pytest.approx(5 / 4**0.5, rel=0.1)
    assert np.isnan(lost(full, row('c', 0.5, 90.0), 'mIoU')[1])


def test_scene_says_what_is_fixed_and_what_is_broken(monkeypatch):
    shown = []
    monkeypatch.setattr('mmhires.analysis.page.data_uri', shown.append)
    truth = np.array([[0, 1, 1, 255]])
    image = np.full((1, 4, 3), 100, np.uint8)
    labels = dict(base=np.array([[1, 1, 0, 0]]), ours=np.array([[0, 0, 0, 1]]))
    given = scene('s', image, truth, labels, [[9, 9, 9], [7, 7, 7]], 'base')
    assert list(given['changes']) == ['ours']
    assert given['changes']['ours']['text'] == (
        'ours fixes 25.0 % of the pixels and breaks 25.0 %, against base'
    )
    marks = shown[0][0].tolist()
    assert marks == [[*FIXED], [*BROKEN], [160] * 3, [160] * 3]

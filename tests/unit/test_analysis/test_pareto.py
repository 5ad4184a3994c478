# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
import json
import math

import pytest

from mmhires.analysis import accuracy_at, choose, draw_pareto, pareto_front, read_results


@pytest.fixture
def write(tmp_path):

    def write(name, content):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        return str(path)

    return write


def test_front_is_what_nothing_beats_and_the_cheapest_comes_first():
    points = dict(
        dear=(9, 80), good=(4, 75), beaten=(5, 75), cheap=(1, 50), twin=(4, 75), worse=(1, 40)
    )
    assert pareto_front(points) == ['cheap', 'good', 'twin', 'dear']


def test_costs_and_accuracies_of_many_files_come_together(write):
    files = [
        write('cost.json', dict(device='CPU', results=[dict(config='a', gmacs=2.0, input='8x8')])),
        write('hand.json', [dict(config='b', gmacs=3, mIoU=61)]),
        write('work_dirs/a/seed0/metrics.json', dict(mIoU=50.0)),
        write('work_dirs/a/seed1/metrics.json', dict(mIoU=52.0)),
        'b=' + write('elsewhere/x.json', dict(mIoU=63.0)),
    ]
    known = read_results(files)
    assert known == dict(a=dict(gmacs=2, mIoU=51), b=dict(gmacs=3, mIoU=62))
    assert choose(known, 'gmacs', 'mIoU') == dict(a=(2, 51), b=(3, 62))


@pytest.mark.parametrize('content', ['{', [1], dict(results=[dict(mIoU=1)])])
def test_a_file_of_another_kind_is_named(content, write):
    path = write('odd.json', content)
    with pytest.raises(ValueError, match='odd.json'):
        read_results([path])


def test_what_a_config_lacks_is_named_beside_what_it_has():
    known = dict(ours=dict(gmacs=1.0, mIoU=2.0))
    with pytest.raises(ValueError, match="ours has no 'median_ms'.*gmacs"):
        choose(known, 'median_ms', 'mIoU')


def test_picture_shows_every_point(tmp_path):
    draw_pareto(
        dict(a=(1, 50), b=(2, 60), c=(3, 55)), 'GMACs', 'mIoU', str(tmp_path / 'pareto.svg')
    )
    text = (tmp_path / 'pareto.svg').read_text()
    for name in ('a', 'b', 'c', 'GMACs', 'mIoU', 'front'):
        assert f'<!-- {name} -->' in text


def test_curve_is_straight_over_the_logarithm_of_the_cost():
    curve = [(4, 80), (1, 60)]
    assert accuracy_at(2, curve) == pytest.approx(70)
    assert accuracy_at(1, curve) == 60 and accuracy_at(4, curve) == 80
    assert math.isnan(accuracy_at(0.9, curve))
    assert math.isnan(accuracy_at(4.1, curve))


def test_picture_says_what_a_network_has_at_equal_cost(tmp_path):
    path = tmp_path / 'pareto.svg'
    draw_pareto(
        dict(full=(4, 80), half=(1, 60), ours=(2, 75), dear=(5, 81)),
        'GMACs',
        'mIoU',
        str(path),
        ['full', 'half'],
    )
    for text in ('ours +5.0', 'dear', 'full', 'half', 'input size alone'):
        assert f'<!-- {text} -->' in path.read_text()

# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
import json

import cv2
import pytest

from mmhires.analysis import curves, draw_curves
from mmhires.analysis.curves import read_curve


def run(folder, *logs):
    for number, entries in enumerate(logs):
        log = folder / f'2026_{number}' / 'vis_data'
        log.mkdir(parents=True)
        (log / 'scalars.json').write_text('\n'.join(map(json.dumps, entries)))
    return str(folder)


def test_a_resumed_run_is_one_curve_without_its_last_test(tmp_path):
    folder = run(
        tmp_path / 'a',
        [dict(loss=1.0, step=50), dict(mIoU=40.0, step=100), dict(mIoU=1.0, step=200)],
        [dict(mIoU=45.0, step=200), dict(mIoU=45.0, step=0)],
    )
    assert read_curve(folder, 'mIoU') == [(100, 40.0), (200, 45.0)]


def test_curves_are_drawn(tmp_path):
    folders = [
        run(tmp_path / name, [dict(mIoU=value, step=step) for step, value in ((1, 3.0), (2, 5.0))])
        for name in 'ab'
    ]
    draw_curves(dict(ours=folders), 'mIoU', str(tmp_path / 'curves.png'))
    picture = cv2.imread(str(tmp_path / 'curves.png'))
    assert picture.shape[:2] == (600, 960) and picture.std() > 1


def test_a_metric_that_was_not_measured_is_named(tmp_path):
    folder = run(tmp_path / 'a', [dict(loss=1.0, step=50)])
    with pytest.raises(ValueError, match='a: no validation.*mIoU'):
        read_curve(folder, 'mIoU')


@pytest.mark.parametrize(
    'torn',
    [
        b'{"mIoU": 99.0, "st',
        b'\0' * 30,
        b'{"mIoU": 9\xff\x80',
        b'17',
        b'"',
        b'{"mIoU": 99.0, "step": 20',
    ],
)
def test_a_line_that_a_crash_tore_is_skipped_with_a_warning(tmp_path, torn, monkeypatch):
    folder = run(tmp_path / 'a', [dict(mIoU=40.0, step=10)], [dict(mIoU=45.0, step=30)])
    log = tmp_path / 'a/2026_0/vis_data/scalars.json'
    log.write_bytes(log.read_bytes() + b'\n\n' + torn)
    warned = []
    monkeypatch.setattr(curves, 'print_log', lambda text, *_: warned.append(text))
    assert read_curve(folder, 'mIoU') == [(10, 40.0), (30, 45.0)]
    assert len(warned) == 1 and warned[0].startswith(f'{log}, line 3 is skip')

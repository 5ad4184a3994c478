# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
import json

import cv2
import pytest

from mmhires.analysis import draw_curves
from mmhires.analysis.curves import read_curve


def run(folder, *logs):
    for number, entries in enumerate(logs):
        log = folder / f'2026_{number}' / 'vis_data'
        log.mkdir(parents=True)
        (log / 'scalars.json').write_text('\n'.join(map(json.dumps, entries)))
    return str(folder)


def test_a_resumed_run_is_one_curve_without_its_last_test(tmp_path):
    folder = run(tmp_path / 'a', [
        dict(loss=1., step=50),
        dict(mIoU=40., step=100),
        dict(mIoU=1., step=200)
    ], [dict(mIoU=45., step=200),
        dict(mIoU=45., step=0)])
    assert read_curve(folder, 'mIoU') == [(100, 40.), (200, 45.)]


def test_curves_are_drawn(tmp_path):
    folders = [
        run(tmp_path / name, [
            dict(mIoU=value, step=step) for step, value in ((1, 3.), (2, 5.))
        ]) for name in 'ab'
    ]
    draw_curves(dict(ours=folders), 'mIoU', str(tmp_path / 'curves.png'))
    picture = cv2.imread(str(tmp_path / 'curves.png'))
    assert picture.shape[:2] == (600, 960) and picture.std() > 1


def test_a_metric_that_was_not_measured_is_named(tmp_path):
    folder = run(tmp_path / 'a', [dict(loss=1., step=50)])
    with pytest.raises(ValueError, match='a: no validation.*mIoU'):
        read_curve(folder, 'mIoU')

# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
import json

import pytest


@pytest.mark.slow
def test_equal_weights_give_equal_labels_on_every_engine(run, python, repo_root, tmp_path):
    pytest.importorskip('openvino')
    forms = ['openvino fp32', 'openvino fp32, labels inside', 'openvino int8', 'torch fp32']
    done = run(
        python,
        repo_root / 'tools/analysis_tools/compare_upstream.py',
        '--size',
        128,
        256,
        '--repeats',
        2,
        '--warmup',
        0,
        '--forms',
        *forms,
        '--threads',
        1,
        '--out',
        tmp_path / 'times.json',
    )
    found = json.loads((tmp_path / 'times.json').read_text())
    equal = {row['form']: row['equal'] for row in found['results']}
    assert list(equal) == ['mmseg predict', 'ours, predict', *forms]
    assert equal['mmseg predict'] == equal['ours, predict'] == 1
    assert 0.2 < equal.pop('openvino int8') < 1
    assert min(equal.values()) >= 0.999
    assert all(
        row['ms'] > 0 and row['threads'] == 1 and row['memory'] > 0 for row in found['results']
    )
    assert found['weights'] == 'random'
    assert found['calibration'] == 'noise' and found['versions']['openvino']
    assert 'openvino fp32' in done.stdout


def test_any_config_is_compared_with_its_own_predict(
    run, python, repo_root, tiny, tiny_weights, tmp_path
):
    run(
        python,
        repo_root / 'tools/analysis_tools/compare_upstream.py',
        '--config',
        tiny / 'tiny.py',
        '--checkpoint',
        tiny_weights,
        '--size',
        60,
        90,
        '--repeats',
        2,
        '--warmup',
        0,
        '--forms',
        'torch fp32',
        '--threads',
        1,
        '--out',
        tmp_path / 'times.json',
    )
    found = json.loads((tmp_path / 'times.json').read_text())
    assert [(row['form'], row['equal']) for row in found['results']] == [
        ('predict', 1),
        ('torch fp32', 1),
    ]

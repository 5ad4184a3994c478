# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
import sys

import pytest


@pytest.mark.slow
def test_equal_weights_give_equal_labels(run, repo_root):
    done = run(sys.executable,
               repo_root / 'tools/analysis_tools/compare_upstream.py',
               '--size', 128, 256, '--repeats', 2, '--warmup', 0, '--forms',
               'ours, fp32', '--threads', 1)
    rows = [
        line.split('│')[1:-1] for line in done.stdout.splitlines()
        if '│' in line
    ]
    equal = {row[0].strip(): float(row[4].strip(' %')) for row in rows}
    assert equal['mmseg predict'] == equal['ours, predict'] == 100
    assert 99.9 <= equal['ours, fp32'] <= 100
    assert 'random weights' in done.stdout

# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""``tools/analysis_tools/benchmark.py``."""
import runpy
import sys

import pytest


@pytest.fixture
def benchmark(monkeypatch, repo_root, capsys):
    """Run the script; the rows of its table, by config."""

    def benchmark(*args):
        monkeypatch.setattr(sys, 'argv', ['benchmark.py', *map(str, args)])
        runpy.run_path(
            str(repo_root / 'tools/analysis_tools/benchmark.py'),
            run_name='__main__')
        out = capsys.readouterr().out
        rows = [[cell.strip() for cell in line.strip('│\n').split('│')]
                for line in out.splitlines() if line.startswith('│')]
        return {row[0]: row[1:] for row in rows}, out

    return benchmark


def test_a_network_of_many_times_the_cost_is_slower(benchmark, tiny,
                                                    tmp_path):
    config = tmp_path / 'wide.py'
    config.write_text(f"_base_ = {str(tiny / 'tiny.py')!r}\n"
                    'model = dict(backbone=dict(base_channels=64,\n'
                    'stem_channels=64), decode_head=dict(in_channels=512))')
    rows, out = benchmark(config, tiny / 'tiny.py', '--shape', '64', '96',
                          '--repeats', '3', '--threads', '1')
    assert list(rows) == ['wide', 'tiny']
    assert rows['wide'][0] == rows['tiny'][0] == '64x96'
    assert rows['wide'][4:] == ['1.00x', '1.00x']
    for column, ratio in ((1, 4), (2, 5)):
        wide, tiny = float(rows['wide'][column]), float(rows['tiny'][column])
        assert wide / tiny > 1.5
        assert float(rows['tiny'][ratio][:-1]) == pytest.approx(
            wide / tiny, rel=0.1)
    assert 'batch of 1, float32, CPU, 1 threads' in out


def test_an_image_is_reduced_as_each_model_s_preprocessor_does(
        benchmark, tiny, tmp_path):
    config = tmp_path / 'low.py'
    config.write_text(f"_base_ = {str(tiny / 'tiny.py')!r}\n"
                      "model = dict(data_preprocessor=dict(_delete_=True, "
                      "type='mmhires.LowResSegDataPreProcessor', scale=2))")
    rows, _ = benchmark(tiny / 'tiny.py', config, '--image', '128', '256',
                        '--repeats', '2', '--threads', '1')
    assert rows['tiny'][0] == '128x256' and rows['low'][0] == '64x128'
    assert float(rows['low'][4][:-1]) == pytest.approx(4, rel=0.1)

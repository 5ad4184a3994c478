# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""``tools/demo.py``: what ``make demo`` runs, with few steps and pictures."""

import argparse
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from functools import partial

import numpy as np
import pytest
import torch

from mmhires.cli import demo as cli_demo
from mmhires.demo import demo, worker
from mmhires.demo.page import against_plain, choose_scenes, over_fed, table_rows

OPTIONS = '--iters', '2', '--train-images', '8', '--test-images', '2'
# Its imports may warn, so that they are made anew; those of its workers not.
AS_A_USER = """
import multiprocessing, os, runpy, sys
multiprocessing.set_executable(sys.argv.pop(1))
del sys.argv[0]
sys.path[0] = os.path.dirname(sys.argv[0])
runpy.run_path(sys.argv[0], run_name='__main__')"""
FED = ['fed 144x288', 'fed 128x256', 'fed 96x192', 'fed 64x128']
NETWORKS = ['full size', *FED, 'plain', 'DSRL', 'HRFR']


@pytest.mark.parametrize(
    ('option', 'value'),
    [('--test-images', 0), ('--train-images', -3), ('--iters', 0), ('--seed', -1)],
)
def test_numbers_that_cannot_be_are_refused_before_anything_is_measured(
    option, value, run, python, repo_root, tmp_path
):
    done = run(
        python,
        repo_root / 'tools/demo.py',
        option,
        value,
        '--out-dir',
        tmp_path / 'out',
        check=False,
    )
    assert done.returncode == 2
    assert f'{option}: must be at least' in done.stdout
    assert not (tmp_path / 'out').exists()


@pytest.mark.parametrize('images', [1, 2, 4])
def test_page_of_few_streets(images):
    generator = np.random.default_rng(0)
    union = generator.integers(200, 300, (images, 2))
    results = {}
    for quality, name in enumerate(NETWORKS):
        right = union - 10 * quality - generator.integers(1, 9, union.shape)
        areas = np.stack([right, union], 1).tolist()
        results[name] = dict(
            areas=areas,
            BIoU=areas,
            classes=['a', 'b'],
            groups=dict(thin=['b']),
            metrics=dict(mIoU=50.0),
            gmacs=8.0 - quality,
            latency=1.0,
        )
    scenes = choose_scenes(results)
    assert sorted(set(scenes.values())) == list(range(images))[:4]
    rows = table_rows(results)
    # One image has no standard error.
    assert all(('±' in row['cells'][0]) == (images > 1) for row in rows)
    assert all(('±' in row['lost_text']) == (images > 1) for row in rows[1:])
    assert rows[0]['lost'] == 0 < rows[1]['lost'] < rows[-1]['lost']
    union, right = (
        np.array([results[name]['areas'] for name in ('DSRL', 'plain')])[:, :, i].sum(1)
        for i in (1, 0)
    )
    fewer = 100 * np.diff((right / union).mean(1))[0]
    assert f'DSRL has {fewer:.1f}' in against_plain(results)[0]
    assert 'fewer than plain' in against_plain(results)[0]


def test_equal_cost_is_read_between_the_sizes_of_the_full_size_network():
    known = {'full size': (4, 70.0), 'fed 96x192': (1, 50.0), 'DSRL': (2, 65.0), 'HRFR': (5, 66.0)}
    results = {
        name: dict(gmacs=gmacs, metrics=dict(mIoU=miou)) for name, (gmacs, miou) in known.items()
    }
    assert over_fed(results, 'DSRL') == pytest.approx(5)  # halfway is 60
    assert over_fed(results, 'HRFR') is None  # costs more than full size
    assert over_fed(results, 'fed 96x192') is None


@pytest.fixture(scope='module')
def command(repo_root, python, tmp_path_factory):
    out = tmp_path_factory.mktemp('demo')
    return [python, repo_root / 'tools/demo.py', *OPTIONS, '--out-dir', out], out


def times(folders):
    """When each file in some folders was written."""
    return {
        path: path.stat().st_mtime_ns
        for folder in folders
        for path in folder.iterdir()
        if path.is_file()
    }


@pytest.fixture(scope='module')
def stopped(command):
    """A first run that Ctrl-C stops as soon as a network is measured."""
    argv, out = command
    # Under nohup, and in the background of a script, Ctrl-C is ignored.
    process = subprocess.Popen(
        argv,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
    )
    deadline = time.time() + 500
    while not list(out.glob('*/metrics.json.of')) and process.poll() is None:
        assert time.time() < deadline, 'nothing has been measured'
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    printed = process.communicate(timeout=60)[0]
    return process, printed, times(path.parent for path in out.glob('*/metrics.json.of'))


@pytest.fixture(scope='module')
def page(command, stopped, run):
    """What a second run prints, its page and its results."""
    argv, out = command
    next(out.glob('streets/0-2-*.png')).write_bytes(b'')
    printed = run(sys.executable, '-c', AS_A_USER, *argv).stdout
    return printed, out / 'index.html', json.loads((out / 'results.json').read_text())


@pytest.mark.slow
def test_ctrl_c_ends_in_one_line(stopped):
    process, printed, _ = stopped
    assert process.returncode == 130
    assert 'stopped; the same command goes on from here' in printed
    assert 'Traceback' not in printed


@pytest.mark.slow
def test_goes_on_after_ctrl_c_to_a_table_of_all_networks(page):
    printed, _, results = page
    assert list(results) == NETWORKS
    rows = re.findall(
        r'^ ?(\w[\w -]*\w) +-?\d+\.\d (?:± \d+\.\d)? *(\d+\.\d) ± \d+\.\d '
        r'.*?(\d\.\d{3}) +\d+\.\d *$',
        printed,
        re.M,
    )
    assert [name for name, *_ in rows] == NETWORKS
    for name, miou, gmacs in rows:
        assert float(miou) == pytest.approx(results[name]['metrics']['mIoU'], abs=0.06)
        assert float(gmacs) == pytest.approx(results[name]['gmacs'], abs=6e-4)


@pytest.mark.slow
def test_prints_no_wall_of_warnings(page):
    printed = page[0]
    assert 'Warning' not in printed and 'missing keys' not in printed
    assert len(printed.splitlines()) < 50


@pytest.mark.slow
def test_full_size_loses_much_when_it_is_fed_the_small_image(page):
    full, small = (page[2][name] for name in ('full size', 'fed 96x192'))
    assert full['metrics']['mIoU'] > 60
    assert small['metrics']['mIoU'] < full['metrics']['mIoU'] - 10
    assert 3.9 < full['gmacs'] / small['gmacs'] < 4.1


@pytest.mark.slow
def test_what_was_measured_before_ctrl_c_is_not_measured_again(page, stopped):
    files = {path: time for path, time in stopped[2].items() if path.name != 'output.log'}
    assert any(path.name == 'metrics.json' for path in files)
    assert files == {path: path.stat().st_mtime_ns for path in files}


@pytest.mark.slow
def test_page_needs_no_other_file(page):
    html = page[1].read_text()
    sources = re.findall(r'(?:src|href)="([^"#]+)', html)
    assert all(src.startswith(('file:///', 'data:')) for src in sources)
    assert html.count('"data:image/png') > len(NETWORKS)
    assert re.search(r'<p>\d{4}-\d\d-\d\d, CPU ', html)
    assert '<details>' in html and '--teacher-ckpt' in html


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which('chromium'), reason='needs the browser chromium')
def test_toggle_of_the_page_shows_what_a_network_changes(page, tmp_path):
    probe = tmp_path / 'probe.html'
    probe.write_text(
        page[1]
        .read_text()
        .replace(
            '</html>',
            """<script>
at('picture').value = 'HRFR'; at('scene').value = 3;
at('scene').dispatchEvent(new Event('input'));
const marked = at('view').src, said = at('said').textContent;
at('changes').checked = false;
at('changes').dispatchEvent(new Event('input'));
at('view').decode().then(() => {
  document.title = JSON.stringify({
    marked: marked == scenes[3].changes['HRFR'].picture,
    plain: at('view').src == scenes[3].pictures['HRFR'],
    said: said.replace(/[0-9.]+/g, 'N'),
    size: [at('view').naturalWidth, at('view').naturalHeight],
    rows: document.querySelectorAll('tr').length,
    wide: document.documentElement.scrollWidth > innerWidth,
    plots: document.querySelectorAll('.plots svg').length})});
</script></html>""",
        )
    )
    dom = subprocess.run(
        [
            'chromium',
            '--headless',
            '--no-sandbox',
            '--disable-gpu',
            '--no-first-run',
            '--disable-background-networking',
            '--virtual-time-budget=10000',
            f'--user-data-dir={tmp_path}',
            '--window-size=500,900',
            '--dump-dom',
            probe.as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    ).stdout
    seen = json.loads(re.search(r'<title>(.*)</title>', dom)[1])
    assert seen == dict(
        marked=True,
        plain=True,
        said='HRFR fixes N % of the pixels and breaks N %, against plain',
        size=[384, 192],
        rows=1 + len(NETWORKS),
        wide=False,
        plots=2,
    )


@pytest.mark.slow
def test_a_torn_street_is_drawn_anew_and_said(page, command):
    assert '.png is torn; it is drawn anew' in page[0]
    assert next(command[1].glob('streets/0-2-*.png')).stat().st_size > 0


@pytest.mark.slow
def test_start_of_hrfr_is_made_anew_where_it_is_torn_or_of_other_images(
    page, command, tmp_path, caplog
):
    parser = argparse.ArgumentParser()
    cli_demo.add_arguments(parser)
    args = parser.parse_args([str(x) for x in command[0][2:]])

    def start(**options):
        """The weights, when they were written, and what is said."""
        caplog.clear()
        vars(args).update(options)
        cfg = demo.read_config(args, 'HRFR')
        path = worker.match_features(cfg, str(tmp_path))
        weights = torch.load(path, weights_only=True)['state_dict']
        return weights, os.stat(path).st_mtime_ns, caplog.text

    for path in command[1].glob('HRFR*/matched.pth*'):
        shutil.copy(path, tmp_path)
    begun, written, said = start()
    # Of other code it is said that it is used.
    assert written == start()[1] and 'it is made anew' not in said
    (tmp_path / 'matched.pth').write_bytes(b'')
    again, _, said = start()
    assert 'matched.pth is ' in said and 'it is made anew' in said
    assert again.keys() == begun.keys()
    said = start(train_images=4)[2]
    assert 'train_dataloader.dataset.length was 8, is 4' in said

# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Files that are read back are whole, and of what is asked for."""

import json
import os
import shutil
import signal
import time
import warnings

import pytest
from mmengine.config import Config

from mmhires.analysis import provenance
from mmhires.analysis.folders import claim
from mmhires.analysis.provenance import fits, keep, origin
from mmhires.utils import locks


@pytest.fixture
def kept(tmp_path):
    """A file that is of a config, and makes origins like that one's."""
    (tmp_path / 'teacher.pth').write_bytes(b'weights')
    (tmp_path / 'data').mkdir()
    (tmp_path / 'data/val.txt').write_text('a\nb\n')
    (tmp_path / 'net.py').write_text('width = 8\nmodel = dict(width=width)\n')

    def make(seed=0, **options):
        cfg = Config(
            dict(
                model=dict(
                    type='Net',
                    width=(8, 16),
                    teacher=str(tmp_path / 'net.py'),
                    teacher_ckpt=str(tmp_path / 'teacher.pth'),
                ),
                test_dataloader=dict(
                    dataset=dict(data_root=str(tmp_path / 'data'), ann_file='val.txt', cache=False)
                ),
                train_cfg=dict(max_iters=4),
            )
        )
        cfg.merge_from_dict(options)
        return origin(cfg, seed=seed)

    path = tmp_path / 'metrics.json'
    path.write_text('{"mIoU": 1.0}')
    keep(str(path), make())
    return path, make


def test_a_file_is_used_for_what_it_is_of(kept, caplog):
    path, make = kept
    assert fits(str(path), make())
    assert not caplog.records


@pytest.mark.parametrize(
    ('options', 'said'),
    [
        ({'train_cfg.max_iters': 2}, 'config.train_cfg.max_iters was 4, is 2'),
        ({'test_dataloader.dataset.length': 3}, 'length was None, is 3'),
        ({'model.width': (8, 32)}, 'model.width was [8, 16], is [8, 32]'),
        (dict(seed=1), 'seed was 0, is 1'),
    ],
)
def test_a_file_of_other_options_is_not_used_and_that_is_said(options, said, kept, caplog):
    path, make = kept
    assert not fits(str(path), make(**options))
    (record,) = caplog.records
    assert said in record.message and 'made anew' in record.message
    assert record.message.startswith(str(path))


@pytest.mark.parametrize(
    ('name', 'content'),
    [
        ('teacher.pth', 'other weights'),
        ('data/val.txt', 'a\n'),
        ('net.py', 'width = 9\nmodel = dict(width=width)\n'),
    ],
)
def test_a_file_named_by_the_config_counts_by_its_content(name, content, kept, tmp_path):
    path, make = kept
    (tmp_path / name).write_text(content)
    assert not fits(str(path), make())


def test_places_comments_and_other_names_of_the_same_content_do_not_count(kept, tmp_path, caplog):
    path, make = kept
    shutil.copy(tmp_path / 'teacher.pth', tmp_path / 'copy.pth')
    (tmp_path / 'net.py').write_text('# A comment.\nwidth = 8\nmodel = dict(width=width)\n')
    assert fits(
        str(path),
        make(
            **{
                'model.teacher_ckpt': str(tmp_path / 'copy.pth'),
                'test_dataloader.dataset.cache': True,
                'work_dir': 'elsewhere',
                'load_from': 'x.pth',
            }
        ),
    )
    assert not caplog.records


@pytest.mark.parametrize('content', ['', '{"mIoU"', '{"mIoU": 2.0}'])
def test_a_torn_or_changed_file_is_not_used(content, kept, caplog):
    path, make = kept
    path.write_text(content)
    assert not fits(str(path), make())
    assert 'is torn or was changed' in caplog.text


@pytest.mark.parametrize('content', ['', '[]', 'null', '{"of": {}}', None])
def test_a_file_that_does_not_say_what_it_is_of_is_not_used(content, kept, caplog):
    path, make = kept
    said = path.with_name(path.name + '.of')
    said.unlink()
    if content is not None:
        said.write_text(content)
    assert not fits(str(path), make())
    assert 'does not say what it is of' in caplog.text


def test_a_file_that_is_not_there_is_nothing_to_tell_of(kept, tmp_path, caplog):
    assert not fits(str(tmp_path / 'none.json'), kept[1]())
    assert not caplog.records


def test_other_code_is_said_and_another_version_decides(kept, caplog, monkeypatch):
    path, make = kept
    monkeypatch.setattr(provenance, '_code_of', lambda imported: 'other')
    assert fits(str(path), make())
    assert 'was made by other code' in caplog.text
    monkeypatch.setattr(provenance, '__version__', '99')
    assert not fits(str(path), make())
    assert "version was '0.1.0', is '99'" in caplog.text


def test_code_of_modules_that_a_config_imports_is_part_of_what_is_said(tmp_path, monkeypatch):
    module = tmp_path / 'my_own_net.py'
    module.write_text('WIDTH = 8\n')
    monkeypatch.syspath_prepend(tmp_path)
    cfg = Config(dict(custom_imports=dict(imports=['mmhires', 'my_own_net'])))

    def code():
        provenance._code_of.cache_clear()
        provenance.code_hash.cache_clear()
        return origin(cfg)['code']

    before = code()
    module.write_text('"""A docstring."""\nWIDTH = 8  # a comment\n')
    assert code() == before
    module.write_text('WIDTH = 9\n')
    assert code() != before


def test_folder_of_another_run_is_moved_aside_with_all_it_has(tmp_path, caplog):
    run, start = tmp_path / 'run', tmp_path / 'run/matched.pth'
    claim(str(run), dict(seed=0))
    for name in ('iter_4.pth', 'metrics.json', 'matched.pth', 'output.log'):
        (run / name).write_text('first')
    (run / '20260101').mkdir()
    claim(str(run), dict(seed=0), str(start))
    assert len(list(run.iterdir())) == 7 and not caplog.records
    claim(str(run), dict(seed=1), str(start))
    assert sorted(path.name for path in run.glob('[!.]*')) == [
        'matched.pth',
        'output.log',
        'run',
        'run.of',
    ]
    aside = tmp_path / 'run-old1'
    assert (aside / 'iter_4.pth').read_text() == 'first'
    assert (aside / '20260101').is_dir()
    assert json.loads((aside / 'run.of').read_text())['of'] == dict(seed=0)
    assert 'seed was 0, is 1' in caplog.text and str(aside) in caplog.text
    (run / 'iter_4.pth').write_text('second')
    claim(str(run), dict(seed=0))
    assert (tmp_path / 'run-old2/iter_4.pth').read_text() == 'second'


def test_folder_with_checkpoints_of_unknown_origin_is_moved_aside(tmp_path, caplog):
    run = tmp_path / 'run'
    run.mkdir()
    (run / 'notes.txt').write_text('mine')
    claim(str(run), dict(seed=0))
    assert (run / 'notes.txt').exists() and not caplog.records
    (run / 'run.of').unlink()
    (run / 'iter_4.pth').write_text('first')
    claim(str(run), dict(seed=0))
    assert (tmp_path / 'run-old1/iter_4.pth').exists()


def test_folder_that_another_process_writes_to_is_not_moved(tmp_path, monkeypatch):
    run = tmp_path / 'run'
    claim(str(run), dict(seed=0))
    (run / 'iter_4.pth').write_text('first')
    monkeypatch.setattr(locks, 'PATIENCE', 0.0)
    ours, theirs = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')  # fork beside threads
        child = os.fork()
    if not child:
        locks.claim_folder(str(run))
        os.write(theirs, b'held')
        time.sleep(60)
        os._exit(0)
    try:
        os.read(ours, 4)
        with pytest.raises(locks.FolderInUseError, match='is in use'):
            claim(str(run), dict(seed=1))
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    assert (run / 'iter_4.pth').exists()

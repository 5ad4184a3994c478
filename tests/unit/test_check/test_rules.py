# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Rules are in the table, and share one model and one batch."""

from pathlib import Path

import pytest
from mmengine.config import Config

from mmhires.check import check_config, context, rules
from mmhires.check.rules import metrics, schedules, sizes, teachers

CONFIGS = Path(__file__).resolve().parents[3] / 'configs'
PLAIN = CONFIGS / 'dsrl/deeplabv3plus-r18s-d16_1xb4-300_streets-96x192.py'


def test_every_rule_has_its_line_in_the_table():
    files = Path(rules.__file__).parent.glob('[a-z]*.py')
    assert sorted(rules.RULES) == sorted(path.stem for path in files)


@pytest.fixture
def calls(monkeypatch):
    """Names of what is built and drawn meanwhile."""
    names = []

    def count(name):
        function = getattr(context, name)
        monkeypatch.setattr(
            context, name, lambda *args, **kwargs: names.append(name) or function(*args, **kwargs)
        )

    count('build_model')
    count('draw_batch')
    return names


def test_a_check_builds_one_model_and_draws_one_batch(calls):
    assert check_config(str(PLAIN), samples=1) == []
    assert calls == ['build_model', 'draw_batch']


def test_rules_of_the_config_alone_build_and_draw_nothing(calls):
    cfg = Config.fromfile(PLAIN)
    ctx = context.Context(cfg)
    for rule in (sizes, schedules, teachers):
        assert list(rule.findings(ctx)) == []
    assert calls == []


def test_an_epoch_of_a_wrapped_data_set_is_counted():
    cfg = Config.fromfile(PLAIN)
    streets = dict(cfg.train_dataloader.dataset, length=5)
    pair = dict(type='ConcatDataset', datasets=[streets, dict(streets)])
    cfg.train_dataloader.dataset = dict(type='RepeatDataset', times=3, dataset=pair)
    cfg.train_dataloader.dataset.dataset.datasets[1].seed = 1
    lengths = context.Context(cfg).lengths
    assert lengths['train_dataloader'] == 30


def test_an_evaluator_that_is_not_a_dict_is_no_traceback():
    cfg = Config.fromfile(PLAIN)
    cfg.val_evaluator = 3
    finding, *_ = metrics.findings(context.Context(cfg))
    assert (finding.kind, finding.key) == ('build', 'val_evaluator')


def test_a_hook_that_goes_by_several_metrics_is_named_once_for_each():
    cfg = Config.fromfile(PLAIN)
    cfg.default_hooks.checkpoint.save_best = ['mIoU', 'mIou']
    (finding,) = metrics.findings(context.Context(cfg))
    assert finding.key == 'default_hooks.checkpoint.save_best'
    assert finding.remedy == 'mIoU may be meant'


def test_keypoints_that_a_missing_file_describes_are_no_traceback(tmp_path):
    pytest.importorskip('mmpose')
    own = tmp_path / 'own.py'
    own.write_text(
        "default_scope = 'mmpose'\nmodel = dict(type='TopdownPoseEstimator')\n"
        "train_dataloader = dict(dataset=dict(type='CocoDataset', "
        "data_root='nowhere', metainfo=dict(from_file='no/file.py')))"
    )
    keys = {x.key: x for x in check_config(str(own))}
    root = keys['train_dataloader.dataset.data_root']
    assert root.kind == 'missing' and 'nowhere' in root.message

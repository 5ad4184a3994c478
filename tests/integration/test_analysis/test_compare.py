# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
import json

import numpy as np
import pytest
import torch
from mmengine.hooks import Hook
from mmengine.runner import TestLoop

from mmhires.analysis import initial_weights, save_initial_weights, train_and_test


class Stop(Hook):
    """Ends a training after its first iteration."""

    priority = 'LOWEST'

    def after_train_iter(self, runner, *args, **kwargs):
        if runner.iter == 0:
            raise KeyboardInterrupt


def test_an_interrupted_run_goes_on_from_its_last_checkpoint(streets_config, tmp_path):
    initial, run = str(tmp_path / 'initial.pth'), tmp_path / 'run'
    save_initial_weights(streets_config(tmp_path), 0, initial)
    cfg = streets_config(tmp_path, iters=3)
    with pytest.raises(KeyboardInterrupt):
        train_and_test(cfg, str(run), 0, initial, [Stop()])
    train_and_test(cfg, str(run), 0, initial)
    assert any('resumed epoch: 0, iter: 1' in log.read_text() for log in run.glob('*/*.log'))
    assert torch.load(run / 'iter_3.pth')['meta']['iter'] == 3


def test_two_configs_start_from_the_same_weights_and_finished_runs_are_read(
    streets_config, tmp_path
):
    initial = str(tmp_path / 'initial.pth')
    save_initial_weights(streets_config(tmp_path, dsrl=False), 0, initial)
    cfg = streets_config(tmp_path, iters=1)
    cfg.optim_wrapper.optimizer.lr = 0.0
    metrics = train_and_test(cfg, str(tmp_path / 'run'), 0, initial)
    state = torch.load(tmp_path / 'run' / 'iter_1.pth')['state_dict']
    start = torch.load(initial)['state_dict']
    for name, kernel in start.items():
        if name.endswith('conv.weight') or name.endswith('conv1.weight'):
            name = name.replace('decode_head.', 'decode_head.inner.')
            torch.testing.assert_close(state[name], kernel, rtol=0, atol=0)

    files = {path: path.stat().st_mtime_ns for path in (tmp_path / 'run').rglob('*')}
    assert train_and_test(cfg, str(tmp_path / 'run'), 0, initial) == metrics
    assert files == {path: path.stat().st_mtime_ns for path in (tmp_path / 'run').rglob('*')}


@pytest.mark.slow
def test_results_of_other_options_weights_and_torn_files_are_made_anew(
    streets_config, tmp_path, caplog
):
    run, initial = tmp_path / 'run', str(tmp_path / 'initial.pth')
    cfg = streets_config(tmp_path, dsrl=False, iters=1)
    initial_weights(cfg, 0, initial)
    first = train_and_test(cfg, str(run), 0, initial)
    trained = (run / 'iter_1.pth').stat().st_mtime_ns
    # Another test: the weights are the same.
    cfg.test_dataloader.dataset.length = 3
    cfg.model.data_preprocessor.test_cfg = dict(size_divisor=64)
    second = train_and_test(cfg, str(run), 0, initial)
    assert second != first
    assert 'dataset.length was 2, is 3' in caplog.text
    assert len(json.loads((run / 'areas.json').read_text())['areas']) == 3
    # Torn files: the weights are the same, too.
    for name in ('metrics.json', 'areas.json'):
        caplog.clear()
        (run / name).write_bytes(b'')
        assert train_and_test(cfg, str(run), 0, initial) == second
        assert f'{name} is torn or was changed' in caplog.text
    assert (run / 'iter_1.pth').stat().st_mtime_ns == trained
    # Other first weights: all is another run.
    other = str(tmp_path / 'other.pth')
    initial_weights(cfg, 1, other)
    caplog.clear()
    third = train_and_test(cfg, str(run), 0, other)
    assert third != second and 'start was' in caplog.text
    assert train_and_test(cfg, str(tmp_path / 'fresh'), 0, other) == third
    assert (tmp_path / 'run-old1/iter_1.pth').stat().st_mtime_ns == trained


def test_a_torn_checkpoint_does_not_stop_the_same_command_for_good(
    streets_config, tmp_path, caplog
):
    run = tmp_path / 'run'
    cfg = streets_config(tmp_path, dsrl=False, iters=1)
    metrics = train_and_test(cfg, str(run), 0)
    (run / 'metrics.json').unlink()
    weights = (run / 'iter_1.pth').read_bytes()
    (run / 'iter_1.pth').write_bytes(weights[: len(weights) // 2])
    assert train_and_test(cfg, str(run), 0) == metrics
    assert 'no whole checkpoint' in caplog.text


def test_first_weights_are_those_of_the_config_and_whole(streets_config, tmp_path, caplog):
    path, pretrained = tmp_path / 'initial.pth', str(tmp_path / 'p.pth')
    cfg = streets_config(tmp_path, dsrl=False)

    def weights():
        initial_weights(cfg, 0, str(path))
        return torch.load(path)['state_dict']['backbone.stem.0.weight']

    first = weights()
    written = path.stat().st_mtime_ns
    assert (weights() == first).all()
    assert path.stat().st_mtime_ns == written
    save_initial_weights(cfg, 1, pretrained)
    cfg.load_from = pretrained
    other = torch.load(pretrained)['state_dict']['backbone.stem.0.weight']
    assert (weights() == other).all() and (other != first).any()
    assert 'start was None' in caplog.text
    for torn in (b'', path.read_bytes()[:1000]):
        path.write_bytes(torn)
        assert (weights() == other).all()
        assert 'is torn or was changed' in caplog.text


def test_load_from_is_part_of_the_first_weights(streets_config, tmp_path):
    pretrained, initial = str(tmp_path / 'p.pth'), str(tmp_path / 'i.pth')
    cfg = streets_config(tmp_path, dsrl=False)
    save_initial_weights(cfg, 1, pretrained)
    cfg.load_from = pretrained
    save_initial_weights(cfg, 0, initial)
    start = torch.load(initial)['state_dict']
    for name, value in torch.load(pretrained)['state_dict'].items():
        torch.testing.assert_close(start[name], value, rtol=0, atol=0)


def test_an_average_of_the_weights_is_what_is_tested(streets_config, tmp_path, monkeypatch):
    tested, run_iter = {}, TestLoop.run_iter

    def recorded(self, *args):
        tested.update(self.runner.model.state_dict())
        run_iter(self, *args)

    monkeypatch.setattr(TestLoop, 'run_iter', recorded)
    cfg = streets_config(tmp_path, dsrl=False, iters=2)
    cfg.default_hooks.ema = dict(type='EMAHook', momentum=0.5)
    cfg.optim_wrapper.optimizer.lr = 0.3
    train_and_test(cfg, str(tmp_path / 'run'), 0)
    saved = torch.load(tmp_path / 'run/iter_2.pth')
    raw = saved['ema_state_dict']
    changed = [
        key for key, value in saved['state_dict'].items() if (value != raw[f'module.{key}']).any()
    ]
    assert changed
    for key in changed:
        torch.testing.assert_close(tested[key], saved['state_dict'][key], rtol=0, atol=0)


def test_areas_of_images_give_the_measured_miou(streets_config, tmp_path):
    cfg = streets_config(tmp_path, dsrl=False, iters=1)
    cfg.test_dataloader.dataset.length = 5
    metrics = train_and_test(cfg, str(tmp_path / 'run'), 0)
    record = json.loads((tmp_path / 'run/areas.json').read_text())
    areas = np.array(record['areas'])
    assert areas.shape == (5, 2, len(record['classes']))
    intersection, union = areas.sum(0)
    iou = 100 * intersection[union > 0] / union[union > 0]
    assert metrics['mIoU'] == pytest.approx(iou.mean(), abs=0.01)

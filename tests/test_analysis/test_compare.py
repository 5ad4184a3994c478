# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
import json

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.runner import TestLoop

from mmhires.analysis import save_initial_weights, train_and_test


@pytest.mark.slow
def test_an_interrupted_run_goes_on_from_its_last_checkpoint(
        streets_config, tmp_path):
    initial, run = str(tmp_path / 'initial.pth'), tmp_path / 'run'
    save_initial_weights(streets_config(tmp_path), 0, initial)
    train_and_test(streets_config(tmp_path, iters=1), str(run), 0, initial)
    (run / 'metrics.json').unlink()
    train_and_test(streets_config(tmp_path, iters=3), str(run), 0, initial)
    assert any('resumed epoch: 0, iter: 1' in log.read_text()
               for log in run.glob('*/*.log'))
    assert torch.load(run / 'iter_3.pth')['meta']['iter'] == 3


@pytest.mark.slow
def test_two_configs_start_from_the_same_weights_and_finished_runs_are_read(
        streets_config, tmp_path):
    initial = str(tmp_path / 'initial.pth')
    save_initial_weights(streets_config(tmp_path, dsrl=False), 0, initial)
    cfg = streets_config(tmp_path, iters=1)
    cfg.optim_wrapper.optimizer.lr = 0.
    metrics = train_and_test(cfg, str(tmp_path / 'run'), 0, initial)
    state = torch.load(tmp_path / 'run' / 'iter_1.pth')['state_dict']
    start = torch.load(initial)['state_dict']
    for name, kernel in start.items():
        if name.endswith('conv.weight') or name.endswith('conv1.weight'):
            name = name.replace('decode_head.', 'decode_head.seg_head.')
            torch.testing.assert_close(state[name], kernel, rtol=0, atol=0)

    result = tmp_path / 'run' / 'metrics.json'
    result.write_text(json.dumps(dict(mIoU=12.5)))
    assert metrics['mIoU'] != 12.5
    assert train_and_test(Config(), str(tmp_path / 'run'),
                          0) == dict(mIoU=12.5)


@pytest.mark.slow
def test_load_from_is_part_of_the_first_weights(streets_config, tmp_path):
    pretrained, initial = str(tmp_path / 'p.pth'), str(tmp_path / 'i.pth')
    cfg = streets_config(tmp_path, dsrl=False)
    save_initial_weights(cfg, 1, pretrained)
    cfg.load_from = pretrained
    save_initial_weights(cfg, 0, initial)
    start = torch.load(initial)['state_dict']
    for name, value in torch.load(pretrained)['state_dict'].items():
        torch.testing.assert_close(start[name], value, rtol=0, atol=0)


@pytest.mark.slow
def test_an_average_of_the_weights_is_what_is_tested(streets_config, tmp_path,
                                                     monkeypatch):
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
        key for key, value in saved['state_dict'].items()
        if (value != raw[f'module.{key}']).any()
    ]
    assert changed
    for key in changed:
        torch.testing.assert_close(
            tested[key], saved['state_dict'][key], rtol=0, atol=0)


@pytest.mark.slow
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

# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
import json

import pytest
import torch
from mmengine.config import Config

from mmhires.analysis import save_initial_weights, train_and_test


@pytest.mark.slow
def test_an_interrupted_run_goes_on_from_its_last_checkpoint(
        streets_config, tmp_path):
    initial, run = str(tmp_path / 'initial.pth'), tmp_path / 'run'
    save_initial_weights(streets_config(tmp_path), 0, initial)
    train_and_test(streets_config(tmp_path, iters=1), str(run), 0, initial)
    (run / 'metrics.json').unlink()
    train_and_test(streets_config(tmp_path, iters=3), str(run), 0, initial)
    logs = sorted(run.glob('*/*.log'))
    assert 'resumed epoch: 0, iter: 1' in logs[-1].read_text()
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
    assert train_and_test(Config(), str(tmp_path / 'run'), 0) == dict(
        mIoU=12.5)


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

# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
import pytest
from mmengine.runner import Runner

event_accumulator = pytest.importorskip(
    'tensorboard.backend.event_processing.event_accumulator',
    reason='tensorboard is not installed; nothing of mmhires needs it',
)


@pytest.mark.slow
def test_losses_and_metrics_of_a_run_can_be_seen_in_tensorboard(streets_config, tmp_path):
    cfg = streets_config(tmp_path)
    # As --cfg-options does.
    cfg.merge_from_dict({'visualizer.vis_backends.0.type': 'TensorboardVisBackend'})
    cfg.default_hooks.logger.interval = 1
    Runner.from_cfg(cfg).train()
    (events,) = tmp_path.glob('*/vis_data/events.out.tfevents.*')
    seen = event_accumulator.EventAccumulator(str(events))
    seen.Reload()
    scalars = seen.Tags()['scalars']
    assert {'loss', 'lr', 'mIoU'} <= set(scalars)
    losses = seen.Scalars('loss')
    assert [event.step for event in losses] == [1, 2]
    assert all(event.value > 0 for event in losses)

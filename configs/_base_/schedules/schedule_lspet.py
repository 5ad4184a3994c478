# AdamW with a short warm-up and poly: less than half an hour of a CPU core.
_base_ = '../default_runtime_pose.py'
iters = 3000
optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='AdamW', lr=1e-3, weight_decay=0.01))
warm_up = dict(type='LinearLR', start_factor=0.01, begin=0, end=100, by_epoch=False)
decay = dict(type='PolyLR', power=0.9, begin=100, end=iters, by_epoch=False)
param_scheduler = [warm_up, decay]
train_cfg = dict(type='IterBasedTrainLoop', max_iters=iters)
log_processor = dict(by_epoch=False)
test_cfg = dict(type='TestLoop')
default_hooks = dict(
    timer=dict(type='IterTimerHook'),
    logger=dict(type='LoggerHook', interval=50, log_metric_by_epoch=False),
    param_scheduler=dict(type='ParamSchedulerHook'),
    checkpoint=dict(
        type='mmhires.AtomicCheckpointHook', by_epoch=False, interval=100, max_keep_ckpts=1
    ),
    sampler_seed=dict(type='DistSamplerSeedHook'),
)

# DSRL, section 4.2: SGD, momentum 0.9, weight decay 5e-4, lr 0.01, poly 0.9.
# The paper leaves the length to "the corresponding publications".
max_iters = 80000
optim_wrapper = dict(
    type='OptimWrapper', optimizer=dict(type='SGD', lr=0.01, momentum=0.9, weight_decay=0.0005)
)
poly = dict(type='PolyLR', eta_min=1e-4, power=0.9, begin=0, by_epoch=False)
param_scheduler = [dict(poly, end=max_iters)]
train_cfg = dict(type='IterBasedTrainLoop', max_iters=max_iters, val_interval=8000)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
default_hooks = dict(
    timer=dict(type='IterTimerHook'),
    logger=dict(type='LoggerHook', interval=50, log_metric_by_epoch=False),
    param_scheduler=dict(type='ParamSchedulerHook'),
    checkpoint=dict(
        type='mmhires.AtomicCheckpointHook', by_epoch=False, interval=8000, max_keep_ckpts=3
    ),
    sampler_seed=dict(type='DistSamplerSeedHook'),
    visualization=dict(type='SegVisualizationHook'),
)

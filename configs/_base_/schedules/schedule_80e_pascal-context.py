# FastFCN on Pascal Context: 80 epochs of 312 batches of 16. Everything but the
# backbone learns ten times as fast, as in the authors' code.
max_iters = 24960
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='SGD', lr=0.001, momentum=0.9, weight_decay=0.0001),
    paramwise_cfg=dict(
        custom_keys=dict(
            neck=dict(lr_mult=10.0),
            decode_head=dict(lr_mult=10.0),
            auxiliary_head=dict(lr_mult=10.0),
        )
    ),
)
poly = dict(type='PolyLR', eta_min=0, power=0.9, begin=0, by_epoch=False)
param_scheduler = [dict(poly, end=max_iters)]
train_cfg = dict(type='IterBasedTrainLoop', max_iters=max_iters, val_interval=3120)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
default_hooks = dict(
    timer=dict(type='IterTimerHook'),
    logger=dict(type='LoggerHook', interval=50, log_metric_by_epoch=False),
    param_scheduler=dict(type='ParamSchedulerHook'),
    checkpoint=dict(
        type='mmhires.AtomicCheckpointHook', by_epoch=False, interval=3120, max_keep_ckpts=3
    ),
    sampler_seed=dict(type='DistSamplerSeedHook'),
    visualization=dict(type='SegVisualizationHook'),
)
auto_scale_lr = dict(enable=False, base_batch_size=16)

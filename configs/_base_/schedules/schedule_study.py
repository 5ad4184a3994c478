# Fine-tuning from Cityscapes' weights on a CPU: SGD, a short warm-up, poly, and
# an average of the weights, which is what is tested. What is new learns faster.
iters = 3000
optim_wrapper = dict(
    type='mmhires.BF16OptimWrapper',
    optimizer=dict(type='SGD', lr=0.005, momentum=0.9, weight_decay=4e-5),
    paramwise_cfg=dict(custom_keys=dict(conv_seg=dict(lr_mult=5), sssr=dict(lr_mult=5))),
)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.05, begin=0, end=200, by_epoch=False),
    dict(type='PolyLR', power=0.9, begin=200, end=iters, by_epoch=False),
]
train_cfg = dict(type='IterBasedTrainLoop', max_iters=iters, val_interval=500)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
default_hooks = dict(
    timer=dict(type='IterTimerHook'),
    logger=dict(type='LoggerHook', interval=50, log_metric_by_epoch=False),
    param_scheduler=dict(type='ParamSchedulerHook'),
    checkpoint=dict(
        type='mmhires.AtomicCheckpointHook', by_epoch=False, interval=100, max_keep_ckpts=1
    ),
    sampler_seed=dict(type='DistSamplerSeedHook'),
    # Statistics of the last steps would not be those of the average.
    ema=dict(type='EMAHook', momentum=0.002, update_buffers=True),
)

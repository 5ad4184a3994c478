# EdgeNets' hybrid schedule. One epoch at the learning rate, twelve cycles of
# five epochs at 5, 4, 3, 2 and 1 times it, then 39 epochs linearly towards 0;
# the decoder at ten times that.
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='SGD', lr=0.009, momentum=0.9, weight_decay=4e-5),
    paramwise_cfg=dict(custom_keys={'decode_head': dict(lr_mult=10)}),
)
cycles = list(range(1, 61, 5))
param_scheduler = [
    dict(type='MultiStepLR', milestones=cycles, gamma=5, by_epoch=True),
    *(
        dict(
            type='LinearLR',
            start_factor=1.0,
            end_factor=0.2,
            begin=begin,
            end=begin + 5,
            by_epoch=True,
        )
        for begin in cycles
    ),
    dict(
        type='LinearLR', start_factor=39 / 40, end_factor=1 / 40, begin=61, end=100, by_epoch=True
    ),
]
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=100, val_interval=10)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
default_hooks = dict(
    timer=dict(type='IterTimerHook'),
    logger=dict(type='LoggerHook', interval=50),
    param_scheduler=dict(type='ParamSchedulerHook'),
    checkpoint=dict(type='mmhires.AtomicCheckpointHook', interval=10, max_keep_ckpts=3),
    sampler_seed=dict(type='DistSamplerSeedHook'),
    visualization=dict(type='SegVisualizationHook'),
)

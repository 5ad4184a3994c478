# For overfitting a handful of persons: minutes on a CPU core.
_base_ = './schedule_210e_pose.py'
optim_wrapper = dict(optimizer=dict(lr=0.002))
param_scheduler = [
    dict(
        type='CosineAnnealingLR',
        eta_min=1e-5,
        begin=0,
        end=300,
        by_epoch=True,
        convert_to_iter_based=True,
    )
]
train_cfg = dict(max_epochs=300, val_interval=300)
default_hooks = dict(logger=dict(interval=1), checkpoint=dict(interval=300, save_best=None))

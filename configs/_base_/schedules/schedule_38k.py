# DDRNet on CamVid: 968 epochs of 468 images in batches of 12, lr 0.001.
_base_ = './schedule_80k.py'
optim_wrapper = dict(optimizer=dict(lr=0.001))
param_scheduler = [
    dict(
        type='PolyLR',
        eta_min=0,
        power=0.9,
        begin=0,
        end=37752,
        by_epoch=False)
]
train_cfg = dict(max_iters=37752, val_interval=3900)
default_hooks = dict(checkpoint=dict(interval=3900))

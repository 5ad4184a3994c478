# DDRNet on CamVid from Cityscapes weights: 200 epochs of 468 images by 12.
_base_ = './schedule_80k.py'
optim_wrapper = dict(optimizer=dict(lr=0.001))
param_scheduler = [
    dict(
        type='PolyLR', eta_min=0, power=0.9, begin=0, end=7800, by_epoch=False)
]
train_cfg = dict(max_iters=7800, val_interval=3900)
default_hooks = dict(checkpoint=dict(interval=3900))

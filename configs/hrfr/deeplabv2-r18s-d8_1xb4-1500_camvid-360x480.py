# The teacher: trained on, as the students are, from where the usual schedule
# leaves it.
_base_ = './deeplabv2-r18s-d8_1xb4-2500_camvid-360x480.py'
load_from = ('work_dirs/deeplabv2-r18s-d8_1xb4-2500_camvid-360x480/'
             'iter_2500.pth')
model = dict(backbone=dict(norm_eval=True))
optim_wrapper = dict(
    optimizer=dict(
        _delete_=True, type='AdamW', lr=0.0001, weight_decay=0.01))
param_scheduler = [
    dict(
        type='PolyLR', eta_min=0, power=0.9, begin=0, end=1500, by_epoch=False)
]
train_cfg = dict(max_iters=1500, val_interval=1500)

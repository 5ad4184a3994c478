_base_ = [
    '../_base_/models/hrfr_deeplabv2_r18s-d8.py',
    '../_base_/datasets/camvid_480x360_crop-240x320.py',
    '../_base_/schedules/schedule_3500.py',
    '../_base_/default_runtime.py',
]
model = dict(
    backbone=dict(norm_eval=True),
    data_preprocessor=dict(size=_base_.crop_size),
    neck=dict(aux_channels=()),
    decode_head=dict(loss_decode=dict(gamma=(1, 1), loss=dict(class_weight=_base_.class_weight))),
    loss_srr=dict(gamma=(1, 1), loss=dict(reduction='sum')),
    teacher_ckpt='work_dirs/deeplabv2-r18s-d8_1xb4-1500_camvid-360x480/iter_1500.pth',
)

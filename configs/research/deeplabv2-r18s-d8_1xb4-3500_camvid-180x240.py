# Starts from the teacher of 1500 more iterations, as the students do.
_base_ = [
    '../_base_/models/deeplabv2_r18s-d8.py',
    '../_base_/datasets/camvid_480x360_crop-240x320.py',
    '../_base_/schedules/schedule_3500.py',
    '../_base_/default_runtime.py',
]
model = dict(
    init_cfg=dict(
        type='Pretrained',
        checkpoint='work_dirs/deeplabv2-r18s-d8_1xb4-1500_camvid-360x480/iter_1500.pth',
    ),
    backbone=dict(norm_eval=True),
    data_preprocessor=dict(
        type='mmhires.LowResSegDataPreProcessor', scale=2, size=_base_.crop_size
    ),
    decode_head=dict(loss_decode=dict(class_weight=_base_.class_weight)),
)

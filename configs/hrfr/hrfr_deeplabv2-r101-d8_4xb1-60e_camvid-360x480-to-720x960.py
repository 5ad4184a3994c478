_base_ = [
    '../_base_/models/hrfr_deeplabv2_r101-d8.py',
    '../_base_/datasets/camvid_960x720_crop-500x500.py',
    '../_base_/schedules/schedule_60e_hrfr-camvid.py',
    '../_base_/default_runtime.py',
]
classes = dict(num_classes=11)
model = dict(
    data_preprocessor=dict(size=_base_.pad_size),
    decode_head=classes,
    teacher=dict(decode_head=classes),
    teacher_ckpt='work_dirs/deeplabv2-r101-d8_4xb1-20k_camvid-720x960/iter_20000.pth',
)

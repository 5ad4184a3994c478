_base_ = [
    '../_base_/models/deeplabv2_r101-d8.py',
    '../_base_/datasets/camvid_960x720_crop-500x500.py',
    '../_base_/schedules/schedule_20k.py',
    '../_base_/default_runtime.py',
]
model = dict(
    data_preprocessor=dict(type='mmhires.LowResSegDataPreProcessor', scale=2, size=_base_.pad_size),
    decode_head=dict(num_classes=11),
)

# Table 4. The 720x960 images are padded to 736x960, whose half is 368x480.
_base_ = [
    '../_base_/models/deeplabv3plus_r101-d8.py',
    '../_base_/datasets/camvid_960x720.py',
    '../_base_/schedules/schedule_20k.py',
    '../_base_/default_runtime.py',
]
model = dict(
    data_preprocessor=dict(size=(736, 960), test_cfg=dict(size_divisor=32)),
    decode_head=dict(num_classes=11),
    auxiliary_head=dict(num_classes=11),
)
train_dataloader = dict(batch_size=3, num_workers=4)

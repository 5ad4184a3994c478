# Table 4. The 720x960 images are padded to 736x960, whose half is 368x480.
_base_ = [
    '../_base_/models/bisenet_r18-d32.py',
    '../_base_/datasets/camvid_960x720.py',
    '../_base_/schedules/schedule_20k.py',
    '../_base_/default_runtime.py',
]
model = dict(
    data_preprocessor=dict(size=(736, 960), test_cfg=dict(size_divisor=32)),
    decode_head=dict(num_classes=11),
    auxiliary_head=[dict(head, num_classes=11) for head in _base_.model.auxiliary_head],
)

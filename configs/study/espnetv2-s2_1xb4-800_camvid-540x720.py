# The teacher: images enlarged by half, for the stride of its maps is coarse.
_base_ = './espnetv2-s2_1xb4-800_camvid-360x480.py'
size, crop_size = (720, 540), (432, 576)
train_pipeline = [
    *_base_.load_pipeline,
    dict(_base_.random_resize, scale=size),
    dict(_base_.random_crop, crop_size=crop_size),
    *_base_.augment_pipeline,
]
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=size),
    dict(type='LoadAnnotations'),
    dict(type='PackSegInputs'),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
model = dict(data_preprocessor=dict(size=crop_size))

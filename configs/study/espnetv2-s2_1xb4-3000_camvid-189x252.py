# Plain, trained and tested on images enlarged by 5 %.
_base_ = './espnetv2-s2_1xb4-3000_camvid-180x240.py'
size = (504, 378)
train_pipeline = [
    *_base_.load_pipeline,
    dict(_base_.random_resize, scale=size),
    _base_.random_crop,
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

# Still smaller crops, for networks of output stride 8 on a CPU.
_base_ = './camvid_480x360.py'
crop_size = (240, 320)
random_crop = dict(_base_.random_crop, crop_size=crop_size)
train_pipeline = [
    *_base_.load_pipeline,
    _base_.random_resize,
    random_crop,
    *_base_.augment_pipeline,
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))

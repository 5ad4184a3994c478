# CamVid at its own size with HRFR's crops. Its CA and PA are mAcc and aAcc.
_base_ = './camvid_480x360.py'
crop_size = (500, 500)
pad_size = (512, 512)  # the next size that strides of 8 times 8 divide
random_resize = dict(_base_.random_resize, scale=(960, 720), ratio_range=(0.5, 1.5))
random_crop = dict(_base_.random_crop, crop_size=crop_size)
train_pipeline = [
    *_base_.load_pipeline,
    random_resize,
    random_crop,
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackSegInputs'),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))

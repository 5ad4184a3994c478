# HRFR, section 4.1: crops of 500x500, resized by 0.5 to 1.5, flipped.
_base_ = './cityscapes_1024x2048.py'
crop_size = (500, 500)
pad_size = (512, 512)  # the next size that strides of 8 times 8 divide
random_resize = dict(_base_.random_resize, ratio_range=(0.5, 1.5))
random_crop = dict(_base_.random_crop, crop_size=crop_size)
train_pipeline = [
    *_base_.load_pipeline,
    random_resize,
    random_crop,
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackSegInputs'),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))

# DDRNet's ablations (Table IX).
_base_ = './cityscapes_1024x2048.py'
crop_size = (512, 1024)
random_crop = dict(_base_.random_crop, crop_size=crop_size)
train_pipeline = [
    *_base_.load_pipeline,
    _base_.random_resize,
    random_crop,
    *_base_.augment_pipeline,
]
train_dataloader = dict(batch_size=3, dataset=dict(pipeline=train_pipeline))

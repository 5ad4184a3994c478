# First stage of EdgeNets' training: Cityscapes at half its size, no photometric
# distortion, and every image once in an epoch.
_base_ = './cityscapes_512x1024.py'
train_pipeline = [
    *_base_.load_pipeline,
    dict(_base_.random_resize, ratio_range=(1.0, 2.0)),
    _base_.random_crop,
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackSegInputs'),
]
train_dataloader = dict(
    batch_size=25,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(pipeline=train_pipeline),
)

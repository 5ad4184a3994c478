# Second stage of EdgeNets' training: Cityscapes at its own size, no photometric
# distortion, and every image once in an epoch.
_base_ = './cityscapes_1024x2048.py'
train_pipeline = [
    *_base_.load_pipeline,
    dict(_base_.random_resize, ratio_range=(0.7, 2.0)),
    _base_.random_crop,
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackSegInputs'),
]
train_dataloader = dict(
    batch_size=6,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(pipeline=train_pipeline),
)

# Cityscapes reduced to 896x1792; evaluation stays at 1024x2048.
_base_ = './cityscapes_1024x2048.py'
crop_size = (896, 1792)
scale = crop_size[::-1]
random_resize = dict(_base_.random_resize, scale=scale)
random_crop = dict(_base_.random_crop, crop_size=crop_size)
train_pipeline = [*_base_.load_pipeline, random_resize, random_crop, *_base_.augment_pipeline]
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=scale, keep_ratio=True),
    dict(type='LoadAnnotations'),
    dict(type='PackSegInputs'),
]
tta_resize = [
    dict(type='Resize', scale=tuple(int(side * ratio) for side in scale), keep_ratio=True)
    for ratio in _base_.img_ratios
]
tta_pipeline = [
    dict(type='LoadImageFromFile', backend_args=None),
    dict(
        type='TestTimeAug',
        transforms=[
            tta_resize,
            _base_.tta_flip,
            [dict(type='LoadAnnotations')],
            [dict(type='PackSegInputs')],
        ],
    ),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader

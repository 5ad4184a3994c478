# DDRNet: crops of the full-size image, tests of all of it.
_base_ = './cityscapes_1024x2048.py'
crop_size = (1024, 1024)
random_crop = dict(_base_.random_crop, crop_size=crop_size)
train_pipeline = [
    *_base_.load_pipeline,
    _base_.random_resize,
    random_crop,
    *_base_.augment_pipeline,
]
# Section IV-E of the paper.
img_ratios = [0.5, 0.75, 1.0, 1.25, 1.5, 1.75, 2.0]
tta_resize = [
    dict(type='Resize', scale=(int(2048 * r), int(1024 * r)), keep_ratio=True) for r in img_ratios
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
train_dataloader = dict(batch_size=3, dataset=dict(pipeline=train_pipeline))

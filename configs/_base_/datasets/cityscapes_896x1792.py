_base_ = './cityscapes_1024x2048.py'
crop_size = (896, 1792)
train_pipeline = _base_.train_pipeline
test_pipeline = _base_.test_pipeline
tta_pipeline = _base_.tta_pipeline
train_pipeline[2].scale = test_pipeline[1].scale = crop_size[::-1]
train_pipeline[3].crop_size = crop_size
tta_pipeline[1].transforms[0] = [
    dict(
        type='Resize',
        scale=(int(1792 * ratio), int(896 * ratio)),
        keep_ratio=True) for ratio in _base_.img_ratios
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader

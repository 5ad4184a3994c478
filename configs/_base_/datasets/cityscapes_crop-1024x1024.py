# DDRNet: crops of the full-size image, tests of all of it.
_base_ = './cityscapes_1024x2048.py'
crop_size = (1024, 1024)
train_pipeline = _base_.train_pipeline
tta_pipeline = _base_.tta_pipeline
train_pipeline[3].crop_size = crop_size
# Section IV-E of the paper.
img_ratios = [0.5, 0.75, 1.0, 1.25, 1.5, 1.75, 2.0]
tta_pipeline[1].transforms[0] = [
    dict(
        type='Resize',
        scale=(int(2048 * ratio), int(1024 * ratio)),
        keep_ratio=True) for ratio in img_ratios
]
train_dataloader = dict(batch_size=3, dataset=dict(pipeline=train_pipeline))

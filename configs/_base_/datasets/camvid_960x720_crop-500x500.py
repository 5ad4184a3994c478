# CamVid at its own size with HRFR's crops. Its CA and PA are mAcc and aAcc.
_base_ = './camvid_480x360.py'
crop_size = (500, 500)
pad_size = (512, 512)  # the next size that strides of 8 times 8 divide
train_pipeline = _base_.train_pipeline
train_pipeline[2].update(scale=(960, 720), ratio_range=(0.5, 1.5))
train_pipeline[3].crop_size = crop_size
train_pipeline.pop(5)  # PhotoMetricDistortion
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))

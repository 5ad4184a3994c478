# HRFR, section 4.1: crops of 500x500, resized by 0.5 to 1.5, flipped.
_base_ = './cityscapes_1024x2048.py'
crop_size = (500, 500)
pad_size = (512, 512)  # the next size that strides of 8 times 8 divide
train_pipeline = _base_.train_pipeline
train_pipeline[2].ratio_range = (0.5, 1.5)
train_pipeline[3].crop_size = crop_size
train_pipeline.pop(5)  # PhotoMetricDistortion
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))

# Smaller crops yet, for networks of output stride 8 on a CPU.
_base_ = './camvid_480x360.py'
crop_size = (240, 320)
train_pipeline = _base_.train_pipeline
train_pipeline[3].crop_size = crop_size
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))

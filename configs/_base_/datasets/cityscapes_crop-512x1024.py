# DDRNet's ablations (Table IX).
_base_ = './cityscapes_1024x2048.py'
crop_size = (512, 1024)
train_pipeline = _base_.train_pipeline
train_pipeline[3].crop_size = crop_size
train_dataloader = dict(batch_size=3, dataset=dict(pipeline=train_pipeline))

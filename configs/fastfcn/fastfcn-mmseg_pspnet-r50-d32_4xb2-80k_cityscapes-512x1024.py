_base_ = [
    '../_base_/models/fastfcn_mmseg_r50-d32.py',
    '../_base_/datasets/cityscapes_crop-512x1024.py',
    '../_base_/schedules/schedule_80k.py',
    '../_base_/default_runtime.py',
]
train_dataloader = dict(batch_size=2)
model = dict(data_preprocessor=dict(size=_base_.crop_size))

_base_ = [
    '../_base_/models/espnetv2_s1.py',
    '../_base_/datasets/cityscapes_1024x2048.py',
    '../_base_/schedules/schedule_100e_espnetv2.py',
    '../_base_/default_runtime.py'
]
# EdgeNets' own recipe, second stage: of the norms only the statistics learn.
load_from = 'work_dirs/espnetv2-s1_1xb25-100e_cityscapes-256x512/epoch_100.pth'
model = dict(
    data_preprocessor=dict(size=_base_.crop_size),
    backbone=dict(norm_cfg=dict(requires_grad=False)),
    decode_head=dict(norm_cfg=dict(requires_grad=False)))
train_pipeline = _base_.train_pipeline
train_pipeline[2].ratio_range = (0.7, 2.0)
train_pipeline.pop(5)  # PhotoMetricDistortion
train_dataloader = dict(
    batch_size=6,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(pipeline=train_pipeline))
optim_wrapper = dict(optimizer=dict(lr=0.005))

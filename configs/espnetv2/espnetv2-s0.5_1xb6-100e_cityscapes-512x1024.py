# Second stage of EdgeNets' training; gains and biases of norms are frozen.
_base_ = [
    '../_base_/models/espnetv2_s0.5.py',
    '../_base_/datasets/cityscapes_1024x2048_edgenets.py',
    '../_base_/schedules/schedule_100e_espnetv2.py',
    '../_base_/default_runtime.py',
]
load_from = 'work_dirs/espnetv2-s0.5_1xb25-100e_cityscapes-256x512/epoch_100.pth'
model = dict(
    data_preprocessor=dict(size=_base_.crop_size),
    backbone=dict(norm_cfg=dict(requires_grad=False)),
    decode_head=dict(norm_cfg=dict(requires_grad=False)),
)
optim_wrapper = dict(optimizer=dict(lr=0.005))

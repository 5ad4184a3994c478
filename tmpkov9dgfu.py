_base_ = '../../tmp/grey.py'
custom_imports = dict(imports=['mmhires'], allow_failed_imports=False)
optim_wrapper = dict(clip_grad=dict(_delete_=True, max_norm=10.0, norm_type=2))
model = dict(
    type='mmhires.HRFR',
    data_preprocessor=dict(
        type='mmhires.LowResSegDataPreProcessor', scale=2,
        test_cfg=dict(size_divisor=16)),
    neck=dict(
        type='mmhires.SRRNeck', scale=2,
        in_channels=512, in_index=3,
        bottleneck=128),
    loss_srr=dict(type='mmhires.FeatureL2Loss', reduction='relative'),
    distill_losses=[dict(type='mmhires.LogitDistillLoss', loss_weight=3.)],
    teacher=_base_.model,
    teacher_ckpt=None)
default_hooks = dict(
    checkpoint=dict(type='mmhires.AtomicCheckpointHook'),
    exact_resume=dict(type='mmhires.ExactResumeHook'),
    finite_loss=dict(type='mmhires.FiniteLossHook'))

# Full size: the network that the small ones start from and learn from.
_base_ = [
    '../_base_/models/pose_r18s.py',
    '../_base_/datasets/lspet_128x128.py',
    '../_base_/schedules/schedule_lspet_6000.py',
]
optim_wrapper = dict(type='mmhires.BF16OptimWrapper')
model = dict(
    train_cfg=dict(compute_acc=False),  # NumPy has no bf16
    head=dict(out_channels=14, decoder=_base_.codec),
)

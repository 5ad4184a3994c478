_base_ = [
    '../_base_/models/fastfcn_r50-d32.py',
    '../_base_/datasets/ade20k_480x480.py',
    '../_base_/schedules/schedule_120e_ade20k.py',
    '../_base_/default_runtime.py',
]
model = dict(decode_head=dict(num_classes=150), auxiliary_head=dict(num_classes=150))

_base_ = [
    '../_base_/models/fastfcn_r50-d32.py',
    '../_base_/datasets/pascal_context_60_480x480.py',
    '../_base_/schedules/schedule_80e_pascal-context.py',
    '../_base_/default_runtime.py',
]
model = dict(decode_head=dict(num_classes=60), auxiliary_head=dict(num_classes=60))

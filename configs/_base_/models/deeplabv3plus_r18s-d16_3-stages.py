# The first three stages alone: 0.94 M parameters.
_base_ = './deeplabv3plus_r18s-d16.py'
model = dict(
    backbone=dict(num_stages=3, out_indices=(0, 1, 2), dilations=(1, 1, 1), strides=(1, 2, 2)),
    decode_head=dict(in_channels=128, in_index=2),
)

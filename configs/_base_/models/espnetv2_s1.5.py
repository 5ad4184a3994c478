_base_ = './espnetv2_s2.py'
model = dict(backbone=dict(scale=1.5), decode_head=dict(in_channels=[32, 96, 192, 384]))

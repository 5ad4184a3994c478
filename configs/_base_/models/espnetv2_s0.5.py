_base_ = './espnetv2_s2.py'
model = dict(backbone=dict(scale=0.5), decode_head=dict(in_channels=[16, 32, 64, 128]))

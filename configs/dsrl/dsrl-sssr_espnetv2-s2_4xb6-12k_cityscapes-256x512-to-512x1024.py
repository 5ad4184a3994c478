# Table 1, "+ SSSR".
_base_ = './dsrl_espnetv2-s2_4xb6-12k_cityscapes-256x512-to-512x1024.py'
model = dict(decode_head=dict(sisr_head=None, loss_fa=None))

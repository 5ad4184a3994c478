# Table 1, "+ SSSR + SISR".
_base_ = './dsrl_deeplabv3plus-r101-d8_4xb2-80k_cityscapes-256x512-to-512x1024.py'
model = dict(decode_head=dict(loss_fa=None))

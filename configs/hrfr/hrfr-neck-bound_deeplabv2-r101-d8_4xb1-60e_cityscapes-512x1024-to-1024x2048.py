_base_ = './hrfr_deeplabv2-r101-d8_4xb1-60e_cityscapes-512x1024-to-1024x2048.py'
model = dict(neck=dict(aux_channels=()))

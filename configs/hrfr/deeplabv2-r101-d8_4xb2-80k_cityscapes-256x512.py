_base_ = './deeplabv2-r101-d8_4xb2-80k_cityscapes-512x1024.py'
model = dict(data_preprocessor=dict(scale=4))

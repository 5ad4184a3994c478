_base_ = './deeplabv2-r101-d8_4xb1-20k_camvid-360x480.py'
model = dict(data_preprocessor=dict(scale=4))

_base_ = './hrfr_deeplabv2-r101-d8_4xb1-60e_camvid-360x480-to-720x960.py'
model = dict(neck=dict(aux_channels=()))

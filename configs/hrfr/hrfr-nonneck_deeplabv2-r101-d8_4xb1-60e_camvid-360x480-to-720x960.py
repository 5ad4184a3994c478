_base_ = './hrfr_deeplabv2-r101-d8_4xb1-60e_camvid-360x480-to-720x960.py'
unweighted = dict(gamma=(1, 1))
model = dict(
    neck=dict(bottleneck=None, aux_channels=()),
    decode_head=dict(loss_decode=unweighted),
    loss_srr=unweighted,
)

# SimCC and the full-size SimCC as teacher of its bins.
_base_ = './simcc-r18s_1xb16-3000_lspet-64x64.py'
model = dict(
    type='mmhires.DistilledPoseEstimator',
    teacher='{{ fileDirname }}/simcc-r18s_1xb16-6000_lspet-128x128.py',
    teacher_ckpt=_base_.load_from,
)

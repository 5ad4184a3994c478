# The form that `mmhires.adapt` writes: one network is start and teacher.
_base_ = './dsrl-sssr-subpixel-distilled_espnetv2-s2_1xb4-3000_camvid-180x240-to-360x480.py'
model = dict(
    teacher='{{ fileDirname }}/espnetv2-s2_1xb4-800_camvid-360x480.py',
    teacher_ckpt=_base_.load_from,
    teacher_scale=1,
)

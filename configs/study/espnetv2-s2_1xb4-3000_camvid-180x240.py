# Plain: half the sides in, full-size labels, EdgeNets' weights of this size.
# Padded in testing: else a map is not half of the one before, as in crops.
_base_ = [
    '../_base_/models/espnetv2_s2.py',
    '../_base_/datasets/camvid_480x360.py',
    '../_base_/default_runtime.py',
    '../_base_/schedules/schedule_study.py',
]
load_from = 'work_dirs/espnetv2-s2.0_city_512x256_camvid-classes.pth'
model = dict(
    data_preprocessor=dict(
        low_res_label=False, size=_base_.crop_size, test_cfg=dict(size_divisor=32)
    ),
    decode_head=dict(
        num_classes=11, out_align_corners=False, loss_decode=dict(class_weight=_base_.class_weight)
    ),
)

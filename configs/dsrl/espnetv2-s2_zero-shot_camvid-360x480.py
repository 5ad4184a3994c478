# EdgeNets' weights of Cityscapes on CamVid: nothing to train, only to test.
_base_ = [
    '../_base_/models/espnetv2_s2.py',
    '../_base_/datasets/camvid_480x360.py',
    '../_base_/schedules/schedule_400_espnetv2.py',
    '../_base_/class_maps/cityscapes_to_camvid.py',
    '../_base_/default_runtime.py',
]
# To 368 rows: the weights only know maps that are exactly half of the next.
model = dict(data_preprocessor=dict(scale=1, test_cfg=dict(size_divisor=16)))
test_evaluator = dict(_delete_=True, type='mmhires.MappedIoUMetric', class_map=_base_.class_map)

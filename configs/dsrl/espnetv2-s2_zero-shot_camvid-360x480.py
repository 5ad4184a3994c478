# EdgeNets' weights of Cityscapes on CamVid: nothing to train, only to test.
_base_ = [
    '../_base_/models/espnetv2_s2.py', '../_base_/datasets/camvid_480x360.py',
    '../_base_/schedules/schedule_400_espnetv2.py',
    '../_base_/default_runtime.py'
]
# To 368 rows: the weights only know maps that are exactly half of the next.
model = dict(
    data_preprocessor=dict(scale=1, test_cfg=dict(size_divisor=16)))
# As SegNet merges CamVid's 32 classes: walls are buildings.
test_evaluator = dict(
    _delete_=True,
    type='mmhires.MappedIoUMetric',
    class_map=[
        'Road', 'Sidewalk', 'Building', 'Building', 'Fence', 'Pole',
        'SignSymbol', 'SignSymbol', 'Tree', 'Tree', 'Sky', 'Pedestrian',
        'Bicyclist', 'Car', 'Car', 'Car', 'Car', 'Bicyclist', 'Bicyclist', None
    ])

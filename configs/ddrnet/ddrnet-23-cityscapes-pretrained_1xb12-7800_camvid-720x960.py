_base_ = [
    '../_base_/models/ddrnet_23.py', '../_base_/datasets/camvid_960x720.py',
    '../_base_/schedules/schedule_7800.py', '../_base_/default_runtime.py'
]
# Of this folder's Cityscapes config; its classifiers of 19 classes stay behind.
load_from = 'mmhires://ddrnet-23_cityscapes'
model = dict(
    data_preprocessor=dict(size=_base_.crop_size),
    decode_head=dict(num_classes=11),
    auxiliary_head=dict(num_classes=11))

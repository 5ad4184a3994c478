_base_ = [
    '../_base_/models/ddrnet_23-slim.py',
    '../_base_/datasets/camvid_960x720.py',
    '../_base_/schedules/schedule_7800.py',
    '../_base_/default_runtime.py',
]
# Weights of the Cityscapes config, without its classifiers of 19 classes.
load_from = 'mmhires://ddrnet-23-slim_cityscapes'
model = dict(
    data_preprocessor=dict(size=_base_.crop_size),
    decode_head=dict(num_classes=11),
    auxiliary_head=dict(num_classes=11),
)

_base_ = [
    '../_base_/models/dsrl_deeplabv3plus_r101-d8.py',
    '../_base_/datasets/cityscapes_1024x2048.py',
    '../_base_/schedules/schedule_80k.py',
    '../_base_/default_runtime.py',
]
model = dict(data_preprocessor=dict(size=_base_.crop_size))
# Table 3, multi-scale (--tta): at the scales of the base, no flip.
tta_pipeline = [
    dict(type='LoadImageFromFile', backend_args=None),
    dict(
        type='TestTimeAug',
        transforms=[
            _base_.tta_resize,
            [dict(type='LoadAnnotations')],
            [dict(type='PackSegInputs')],
        ],
    ),
]

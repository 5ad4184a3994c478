_base_ = [
    '../_base_/models/dsrl_pspnet_r101-d16.py',
    '../_base_/datasets/cityscapes_1024x2048.py',
    '../_base_/schedules/schedule_80k.py',
    '../_base_/default_runtime.py',
]
model = dict(data_preprocessor=dict(size=_base_.crop_size))
# Table 3, multi-scale (--tta): the scales that its GFLOPs add up to, no flip.
tta_resize = [
    dict(type='Resize', scale=(int(2048 * r), int(1024 * r)), keep_ratio=True)
    for r in (0.75, 1.0, 1.25, 1.5, 1.75, 2.0)
]
tta_pipeline = [
    dict(type='LoadImageFromFile', backend_args=None),
    dict(
        type='TestTimeAug',
        transforms=[tta_resize, [dict(type='LoadAnnotations')], [dict(type='PackSegInputs')]],
    ),
]

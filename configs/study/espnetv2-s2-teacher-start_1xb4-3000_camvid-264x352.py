# From the full-size weights, tested on images enlarged by 47 %: costs as HRFR.
_base_ = './espnetv2-s2-teacher-start_1xb4-3000_camvid-180x240.py'
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=(704, 528)),
    dict(type='LoadAnnotations'),
    dict(type='PackSegInputs'),
]
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader

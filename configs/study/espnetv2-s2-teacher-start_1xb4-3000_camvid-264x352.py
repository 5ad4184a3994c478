# From the full-size weights, tested on images enlarged by 47 %: costs as HRFR.
_base_ = './espnetv2-s2_1xb4-3000_camvid-204x272.py'
load_from = 'work_dirs/espnetv2-s2_1xb4-800_camvid-360x480/seed0/iter_800.pth'
test_pipeline = _base_.test_pipeline
test_pipeline[1].scale = (704, 528)
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader

_base_ = './coco_keypoints_256x192.py'
codec = dict(_base_.codec, input_size=(96, 128), heatmap_size=(24, 32))
affine = dict(_base_.affine, input_size=codec['input_size'])
train_pipeline = [
    *_base_.load_pipeline,
    *_base_.augment_pipeline,
    affine,
    dict(type='GenerateTarget', encoder=codec),
    dict(type='PackPoseInputs'),
]
test_pipeline = [*_base_.load_pipeline, affine, dict(type='PackPoseInputs')]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader

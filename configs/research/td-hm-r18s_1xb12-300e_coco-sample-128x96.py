_base_ = [
    '../_base_/models/pose_r18s.py',
    '../_base_/datasets/coco_sample_256x192.py',
    '../_base_/schedules/schedule_300e_pose.py',
    '../_base_/default_runtime_pose.py',
]
codec = dict(_base_.codec, input_size=(96, 128), heatmap_size=(24, 32))
affine = dict(_base_.affine, input_size=codec['input_size'])
train_pipeline = [
    *_base_.load_pipeline,
    dict(type='RandomFlip', direction='horizontal'),
    affine,
    dict(type='GenerateTarget', encoder=codec),
    dict(type='PackPoseInputs'),
]
test_pipeline = [*_base_.load_pipeline, affine, dict(type='PackPoseInputs')]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
model = dict(head=dict(decoder=codec))

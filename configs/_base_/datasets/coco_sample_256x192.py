# The four images of MMPose's own tests, to overfit: tested on the training
# images, without other augmentation than the flip, which testing needs.
_base_ = './coco_keypoints_256x192.py'
data_root = 'data/coco_sample/'
train_pipeline = [
    *_base_.load_pipeline,
    dict(type='RandomFlip', direction='horizontal'),
    _base_.affine,
    dict(type='GenerateTarget', encoder=_base_.codec),
    dict(type='PackPoseInputs'),
]
train_dataloader = dict(
    batch_size=12,
    dataset=dict(
        data_root=data_root,
        ann_file='test_coco.json',
        data_prefix=dict(img=''),
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    batch_size=12,
    dataset=dict(
        data_root=data_root, ann_file='test_coco.json', bbox_file=None, data_prefix=dict(img='')
    ),
)
test_dataloader = val_dataloader

# 1600, 300 and 600 persons of Leeds Sports Pose Extended, 14 joints, as COCO's
# json; some 112x127 pixels each. Pipelines are of crops of 128x128 in every
# row; LowResPoseDataPreprocessor makes 64x64 of them.
dataset_type = 'CocoDataset'
data_root = 'data/lspet/'
input_size = (128, 128)
codec = dict(type='UDPHeatmap', input_size=input_size, heatmap_size=(32, 32), sigma=2.0)
load_pipeline = [dict(type='LoadImage'), dict(type='GetBBoxCenterScale')]
affine = dict(type='TopdownAffine', input_size=input_size, use_udp=True)
augment_pipeline = [
    dict(type='RandomFlip', direction='horizontal'),
    dict(type='RandomBBoxTransform', rotate_factor=60.0),
    affine,
]
train_pipeline = [
    *load_pipeline,
    *augment_pipeline,
    dict(type='GenerateTarget', encoder=codec),
    dict(type='PackPoseInputs'),
]
dataset = dict(
    type=dataset_type,
    metainfo=dict(from_file=data_root + 'lsp14.py'),
    data_root=data_root,
    data_mode='topdown',
    data_prefix=dict(img='images/'),
)
train_dataloader = dict(
    batch_size=16,
    num_workers=0,
    sampler=dict(type='InfiniteSampler', shuffle=True),
    dataset=dict(dataset, ann_file='annotations/train.json', pipeline=train_pipeline),
)
# No validation in training: the last weights are tested, on val unless
# compare_configs.py is told otherwise.
test_dataloader = dict(
    batch_size=50,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        dataset,
        ann_file='annotations/val.json',
        test_mode=True,
        pipeline=[*load_pipeline, affine, dict(type='PackPoseInputs')],
    ),
)
test_evaluator = dict(type='mmhires.KeypointErrorMetric')

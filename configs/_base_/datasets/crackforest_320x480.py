# CrackForest: 118 photographs of asphalt, of which cracks are 2.3 % of the
# pixels; labels 0 and 1 as PNG, images as JPEG, in folders train, val and test.
dataset_type = 'mmhires.CheckedSegDataset'
data_root = 'data/crackforest/'
crop_size = (192, 288)
metainfo = dict(classes=('background', 'crack'), palette=[[0, 0, 0], [255, 0, 0]])
# 1 / ln(1.02 + pixel frequency) in the training set.
class_weight = [1.45, 22.61]
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations'),
    dict(type='RandomResize', scale=(480, 320), ratio_range=(0.75, 1.5), keep_ratio=True),
    dict(type='RandomCrop', crop_size=crop_size),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PhotoMetricDistortion'),
    dict(type='PackSegInputs'),
]
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations'),
    dict(type='PackSegInputs'),
]
common = dict(type=dataset_type, data_root=data_root, metainfo=metainfo, img_suffix='.jpg')
train_dataloader = dict(
    batch_size=4,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type='InfiniteSampler', shuffle=True),
    dataset=dict(
        data_prefix=dict(img_path='images/train', seg_map_path='labels/train'),
        pipeline=train_pipeline,
        **common,
    ),
)
val_dataloader = dict(
    batch_size=1,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        data_prefix=dict(img_path='images/val', seg_map_path='labels/val'),
        pipeline=test_pipeline,
        **common,
    ),
)
test_dataloader = dict(
    batch_size=1,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        data_prefix=dict(img_path='images/test', seg_map_path='labels/test'),
        pipeline=test_pipeline,
        **common,
    ),
)
val_evaluator = [
    dict(type='mmhires.ClasswiseIoUMetric', groups=dict(thin=['crack'])),
    dict(type='mmhires.BoundaryIoUMetric'),
]
test_evaluator = val_evaluator

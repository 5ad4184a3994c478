# CamVid of SegNet's size; the written layout of
# tools/dataset_converters/camvid.py
dataset_type = 'mmhires.CamVidDataset'
data_root = 'data/camvid/'
# A multiple of 32, the stride of the networks here times their scale. Smaller
# than the image: from scratch, more steps are worth more than larger crops.
crop_size = (288, 384)
# 1 / ln(1.02 + pixel frequency) in the training set, the weights of ENet that
# EdgeNets and DABNet train with.
class_weight = [5.6, 4.3, 33.57, 3.34, 15.49, 8.74, 31.54, 32.01, 12.83, 38.01, 43.91]
load_pipeline = [dict(type='LoadImageFromFile'), dict(type='LoadAnnotations')]
random_resize = dict(
    type='RandomResize', scale=(480, 360), ratio_range=(0.75, 1.5), keep_ratio=True
)
random_crop = dict(type='RandomCrop', crop_size=crop_size, cat_max_ratio=0.75)
augment_pipeline = [
    dict(type='RandomFlip', prob=0.5),
    dict(type='PhotoMetricDistortion'),
    dict(type='PackSegInputs'),
]
train_pipeline = [*load_pipeline, random_resize, random_crop, *augment_pipeline]
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations'),
    dict(type='PackSegInputs'),
]
img_ratios = [0.5, 0.75, 1.0, 1.25, 1.5, 1.75]
tta_pipeline = [
    dict(type='LoadImageFromFile', backend_args=None),
    dict(
        type='TestTimeAug',
        transforms=[
            [dict(type='Resize', scale_factor=r, keep_ratio=True) for r in img_ratios],
            [
                dict(type='RandomFlip', prob=0.0, direction='horizontal'),
                dict(type='RandomFlip', prob=1.0, direction='horizontal'),
            ],
            [dict(type='LoadAnnotations')],
            [dict(type='PackSegInputs')],
        ],
    ),
]
train_dataloader = dict(
    batch_size=4,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type='InfiniteSampler', shuffle=True),
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        data_prefix=dict(img_path='images/train', seg_map_path='labels/train'),
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    batch_size=1,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        data_prefix=dict(img_path='images/val', seg_map_path='labels/val'),
        pipeline=test_pipeline,
    ),
)
test_dataloader = val_dataloader

val_evaluator = [
    dict(
        type='mmhires.ClasswiseIoUMetric',
        groups=dict(thin=['Pole', 'SignSymbol', 'Pedestrian', 'Bicyclist']),
    ),
    dict(type='mmhires.BoundaryIoUMetric'),
]
test_evaluator = val_evaluator

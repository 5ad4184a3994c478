# Cityscapes at its own size; the children of this file reduce it. Labels are
# loaded after `Resize`: evaluation is always at 1024x2048.
dataset_type = 'CityscapesDataset'
data_root = 'data/cityscapes/'
crop_size = (1024, 2048)
load_pipeline = [dict(type='LoadImageFromFile'), dict(type='LoadAnnotations')]
random_resize = dict(
    type='RandomResize', scale=(2048, 1024), ratio_range=(0.5, 2.0), keep_ratio=True
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
    dict(type='Resize', scale=(2048, 1024), keep_ratio=True),
    dict(type='LoadAnnotations'),
    dict(type='PackSegInputs'),
]
# The scales that the paper's multi-scale GFLOPs add up to (DeepLabV3+).
img_ratios = [0.5, 0.75, 1.0, 1.25, 1.5, 1.75]
tta_resize = [
    dict(type='Resize', scale=(int(2048 * r), int(1024 * r)), keep_ratio=True) for r in img_ratios
]
tta_flip = [
    dict(type='RandomFlip', prob=0.0, direction='horizontal'),
    dict(type='RandomFlip', prob=1.0, direction='horizontal'),
]
tta_pipeline = [
    dict(type='LoadImageFromFile', backend_args=None),
    dict(
        type='TestTimeAug',
        transforms=[
            tta_resize,
            tta_flip,
            [dict(type='LoadAnnotations')],
            [dict(type='PackSegInputs')],
        ],
    ),
]
train_dataloader = dict(
    batch_size=2,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='InfiniteSampler', shuffle=True),
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        data_prefix=dict(img_path='leftImg8bit/train', seg_map_path='gtFine/train'),
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    batch_size=1,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        data_prefix=dict(img_path='leftImg8bit/val', seg_map_path='gtFine/val'),
        pipeline=test_pipeline,
    ),
)
test_dataloader = val_dataloader

val_evaluator = dict(type='IoUMetric', iou_metrics=['mIoU'])
test_evaluator = val_evaluator

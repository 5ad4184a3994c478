# Drawn street scenes: no files, so nothing to load and nothing to download
dataset_type = 'mmhires.StreetsDataset'
size = (256, 512)
crop_size = size
# 1 / ln(1.02 + pixel frequency) in the training set, as for CamVid.
class_weight = [7.69, 3.7, 32.17, 3.42, 12.13, 10.99, 32.06, 25.65, 11.3, 36.79, 38.38]
train_pipeline = [
    dict(type='RandomFlip', prob=0.5),
    dict(type='PhotoMetricDistortion'),
    dict(type='PackSegInputs'),
]
test_pipeline = [dict(type='PackSegInputs')]
# 1.0 comes first: SegTTAModel scores with the labels of the first variant,
# and here the labels are resized and flipped with the image.
img_ratios = [1.0, 0.75, 1.25]
tta_pipeline = [
    dict(
        type='TestTimeAug',
        transforms=[
            [dict(type='Resize', scale_factor=r, keep_ratio=True) for r in img_ratios],
            [
                dict(type='RandomFlip', prob=0.0, direction='horizontal'),
                dict(type='RandomFlip', prob=1.0, direction='horizontal'),
            ],
            [dict(type='PackSegInputs')],
        ],
    )
]
train_dataloader = dict(
    batch_size=8,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type='InfiniteSampler', shuffle=True),
    dataset=dict(
        type=dataset_type, size=size, length=400, split='train', cache=True, pipeline=train_pipeline
    ),
)
val_dataloader = dict(
    batch_size=1,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type=dataset_type, size=size, length=60, split='val', cache=True, pipeline=test_pipeline
    ),
)
test_dataloader = val_dataloader

val_evaluator = [
    dict(type='mmhires.ClasswiseIoUMetric', groups=dict(thin=['pole', 'sign', 'pedestrian'])),
    dict(type='mmhires.BoundaryIoUMetric'),
]
test_evaluator = val_evaluator

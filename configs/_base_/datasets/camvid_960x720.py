# CamVid at its own size; train and val together, the 233 test images to test,
# as DDRNet's Table VI.
_base_ = './camvid_480x360.py'
crop_size = (720, 960)
random_resize = dict(_base_.random_resize, scale=(960, 720), ratio_range=(0.5, 2.0))
random_crop = dict(_base_.random_crop, crop_size=crop_size)
train_pipeline = [*_base_.load_pipeline, random_resize, random_crop, *_base_.augment_pipeline]
splits = [
    dict(
        type=_base_.dataset_type,
        data_root=_base_.data_root,
        data_prefix=dict(img_path=f'images/{split}', seg_map_path=f'labels/{split}'),
        pipeline=train_pipeline,
    )
    for split in ('train', 'val')
]
train_dataloader = dict(
    batch_size=12, num_workers=8, dataset=dict(_delete_=True, type='ConcatDataset', datasets=splits)
)
val_dataloader = dict(
    dataset=dict(data_prefix=dict(img_path='images/test', seg_map_path='labels/test'))
)
test_dataloader = val_dataloader

# ADE20K, trained and tested as Pascal Context.
_base_ = './pascal_context_59_480x480.py'
source = dict(type='ADE20KDataset', data_root='data/ade/ADEChallengeData2016', ann_file='')
train_dataloader = dict(
    dataset=dict(
        data_prefix=dict(img_path='images/training', seg_map_path='annotations/training'), **source
    )
)
val_dataloader = dict(
    dataset=dict(
        data_prefix=dict(img_path='images/validation', seg_map_path='annotations/validation'),
        **source,
    )
)
test_dataloader = val_dataloader

# ESPNetv2 (s = 2.0) with the decoder of the authors' EdgeNets, whose classes
# of Cityscapes are the 19 and a background of weight 0.
_base_ = '../preprocessor.py'
# Names and colours of the 20 classes, for visualisation and export.
dataset_meta = dict(
    classes=[
        'road', 'sidewalk', 'building', 'wall', 'fence', 'pole',
        'traffic light', 'traffic sign', 'vegetation', 'terrain', 'sky',
        'person', 'rider', 'car', 'truck', 'bus', 'train', 'motorcycle',
        'bicycle', 'background'
    ],
    palette=[[128, 64, 128], [244, 35, 232], [70, 70, 70], [102, 102, 156],
             [190, 153, 153], [153, 153, 153], [250, 170, 30], [220, 220, 0],
             [107, 142, 35], [152, 251, 152], [70, 130, 180], [220, 20, 60],
             [255, 0, 0], [0, 0, 142], [0, 0, 70], [0, 60, 100], [0, 80, 100],
             [0, 0, 230], [119, 11, 32], [0, 0, 0]])
norm_cfg = dict(type='SyncBN', requires_grad=True)
model = dict(
    type='EncoderDecoder',
    data_preprocessor=dict(
        type='mmhires.LowResSegDataPreProcessor',
        scale=2,
        low_res_label=True,
        pad_val=0,
        seg_pad_val=255,
        **_base_.img_norm_cfg),
    backbone=dict(type='mmhires.ESPNetv2', scale=2.0, norm_cfg=norm_cfg),
    decode_head=dict(
        type='mmhires.ESPNetv2Head',
        in_channels=[32, 128, 256, 512],
        channels=10,
        num_classes=20,
        norm_cfg=norm_cfg,
        loss_decode=dict(
            type='mmhires.WeightedCrossEntropyLoss',
            class_weight=[
                2.8149201869965, 6.9850029945374, 3.7890393733978,
                9.9428062438965, 9.7702074050903, 9.5110931396484,
                10.311357498169, 10.026463508606, 4.6323022842407,
                9.5608062744141, 7.8698215484619, 9.5168733596802,
                10.373730659485, 6.6616044044495, 10.260489463806,
                10.287888526917, 10.289801597595, 10.405355453491,
                10.138095855713, 0.0
            ])),
    train_cfg=dict(),
    test_cfg=dict(mode='whole'))

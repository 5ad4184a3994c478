# A ResNet-18 of half width and three deconvolutions to 1/4 of the input, small
# enough to train on one CPU core.
_base_ = '../preprocessor.py'
model = dict(
    type='TopdownPoseEstimator',
    data_preprocessor=dict(type='PoseDataPreprocessor', **_base_.img_norm_cfg),
    backbone=dict(
        type='ResNet', depth=18, base_channels=32, stem_channels=32, out_indices=(0, 1, 2, 3)
    ),
    head=dict(
        type='HeatmapHead',
        in_channels=256,
        out_channels=17,
        deconv_out_channels=(64, 64, 64),
        deconv_kernel_sizes=(4, 4, 4),
        loss=dict(type='KeypointMSELoss', use_target_weight=True),
    ),
    test_cfg=dict(flip_test=True, flip_mode='heatmap', shift_heatmap=False),
)

# SimCC on the features of pose_r18s: the same deconvolutions, one map for each
# keypoint, and of its pixels the bins of x and y.
_base_ = './pose_r18s.py'
model = dict(
    head=dict(
        _delete_=True,
        type='SimCCHead',
        in_channels=256,
        out_channels=17,
        deconv_out_channels=(64, 64, 64),
        deconv_kernel_sizes=(4, 4, 4),
        loss=dict(type='KLDiscretLoss', use_target_weight=True),
    ),
    test_cfg=dict(_delete_=True, flip_test=True),
)

# SSSR, and the full-size network as teacher of its heatmaps.
_base_ = './dsrl_td-hm-r18s_1xb16-3000_lspet-64x64-to-128x128.py'
model = dict(
    type='mmhires.DistilledPoseEstimator',
    head=dict(sisr_head=None, loss_fa=None),
    teacher='{{ fileDirname }}/td-hm-r18s_1xb16-6000_lspet-128x128.py',
    teacher_ckpt=_base_.load_from,
    distill_losses=[  # as the loss of the labels
        dict(type='mmhires.FeatureL2Loss', reduction='mean', loss_weight=1000.0)
    ],
)

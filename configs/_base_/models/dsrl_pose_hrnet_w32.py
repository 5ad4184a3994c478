_base_ = './pose_hrnet_w32.py'
model = dict(
    data_preprocessor=dict(type='mmhires.LowResPoseDataPreprocessor', scale=2),
    head=dict(
        _delete_=True,
        type='mmhires.DSRLHeatmapHead',
        heatmap_head=dict(
            _base_.model.head,
            # A mean over nearly empty heatmaps is some 1000 times smaller than
            # the cross-entropy that w1 and w2 were chosen for.
            loss=dict(_base_.model.head.loss, loss_weight=1000.0),
        ),
        sisr_head=dict(type='mmhires.SISRHead', in_channels=32),
        loss_fa=dict(type='mmhires.FALoss'),
    ),
)

_base_ = './deeplabv3plus_r18s-d16.py'
model = dict(
    data_preprocessor=dict(low_res_label=False),
    decode_head=dict(
        _delete_=True,
        type='mmhires.DSRLHead',
        seg_head=_base_.model.decode_head,
        sisr_head=dict(
            type='mmhires.SISRHead',
            reduction='mean',
            in_channels=[32, 256],
            in_index=[0, 3],
            channels=32,
        ),
        loss_fa=dict(type='mmhires.FALoss'),
    ),
)

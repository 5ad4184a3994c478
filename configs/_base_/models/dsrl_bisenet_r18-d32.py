_base_ = './bisenet_r18-d32.py'
model = dict(
    data_preprocessor=dict(low_res_label=False),
    decode_head=dict(
        _delete_=True,
        type='mmhires.DSRLHead',
        seg_head=_base_.model.decode_head,
        sisr_head=dict(type='mmhires.SISRHead', in_channels=256, in_index=0, upscale=8),
        loss_fa=dict(type='mmhires.FALoss'),
    ),
)

_base_ = './pspnet_r101-d16.py'
model = dict(
    data_preprocessor=dict(low_res_label=False),
    decode_head=dict(
        _delete_=True,
        type='mmhires.DSRLHead',
        seg_head=_base_.model.decode_head,
        sisr_head=dict(
            type='mmhires.SISRHead', in_channels=[256, 2048], in_index=[0, 3], upscale=16
        ),
        loss_fa=dict(type='mmhires.FALoss'),
    ),
)

# Streets: SSSR, from the weights of the full-size network, which teaches it.
_base_ = '../demo/deeplabv3plus-r18s-distilled_1xb4-400_streets-96x192.py'
model = dict(
    decode_head=dict(
        _delete_=True,
        type='mmhires.DSRLHead',
        seg_head=_base_.model.decode_head,
        sssr='subpixel'))

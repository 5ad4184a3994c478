# Streets: SSSR alone, from the weights of the full-size network.
_base_ = './deeplabv3plus-r18s_1xb8-3400_streets-96x192.py'
load_from = '{{ fileDirname }}/../demo/deeplabv3plus-r18s_streets-192x384.pth'
model = dict(
    decode_head=dict(
        _delete_=True, type='mmhires.DSRLHead', seg_head=_base_.model.decode_head, sssr='subpixel'
    )
)

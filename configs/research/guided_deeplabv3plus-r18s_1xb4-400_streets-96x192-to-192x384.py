# The demo's network on 96x192, its class maps guided by all of the image.
_base_ = '../demo/deeplabv3plus-r18s-distilled_1xb4-400_streets-96x192.py'
model = dict(
    data_preprocessor=dict(scale=1),
    backbone=dict(
        _delete_=True,
        type='mmhires.LowResBackbone',
        backbone=_base_.model.backbone),
    decode_head=dict(
        _delete_=True,
        type='mmhires.GuidedHead',
        head=_base_.model.decode_head))

# SSSR and SISR as in the paper: without the full-size network as teacher.
_base_ = './dsrl_deeplabv3plus-r18s_1xb4-400_streets-96x192-to-192x384.py'
model = dict(
    _delete_=True,
    type='mmhires.SuperResolvingSegmentor',
    data_preprocessor=_base_.model.data_preprocessor,
    backbone=_base_.model.backbone,
    decode_head=_base_.model.decode_head,
    test_cfg=_base_.model.test_cfg)

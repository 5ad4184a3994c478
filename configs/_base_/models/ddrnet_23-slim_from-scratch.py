# For runs of minutes on CamVid: no ImageNet weights, and cross-entropy, whose
# class weights the configs take from the data set.
_base_ = './ddrnet_23-slim.py'
loss_decode = dict(_delete_=True, type='mmhires.WeightedCrossEntropyLoss', loss_weight=1.0)
model = dict(
    backbone=dict(init_cfg=dict(_delete_=True, type='Kaiming', layer='Conv2d')),
    decode_head=dict(num_classes=11, loss_decode=loss_decode),
    auxiliary_head=dict(num_classes=11, loss_decode=dict(loss_decode, loss_weight=0.4)),
)

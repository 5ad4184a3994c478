# Targets of a plain network on 64x64: 1/4 of what it sees, of the same width
# in the crop; the decoder blurs as wide as that.
_base_ = './lspet_128x128.py'
codec = dict(_base_.codec, heatmap_size=(16, 16), sigma=1.0, blur_kernel_size=5)
train_pipeline = [
    *_base_.load_pipeline,
    *_base_.augment_pipeline,
    dict(type='GenerateTarget', encoder=codec),
    dict(type='PackPoseInputs'),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))

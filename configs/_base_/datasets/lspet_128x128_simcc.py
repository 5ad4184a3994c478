# Bins of half a pixel of the full-size crop, also for networks that see less.
_base_ = './lspet_128x128.py'
simcc = dict(type='SimCCLabel', input_size=_base_.input_size, sigma=4.0, simcc_split_ratio=2.0)
codec = dict(_delete_=True, **simcc)
train_pipeline = [
    *_base_.load_pipeline,
    *_base_.augment_pipeline,
    dict(type='GenerateTarget', encoder=simcc),
    dict(type='PackPoseInputs'),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))

_base_ = './coco_keypoints_256x192.py'
codec = dict(input_size=(384, 512), heatmap_size=(96, 128))
train_pipeline = _base_.train_pipeline
test_pipeline = _base_.test_pipeline
train_pipeline[5].input_size = test_pipeline[2].input_size = codec[
    'input_size']
train_pipeline[6].encoder.update(codec)
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader

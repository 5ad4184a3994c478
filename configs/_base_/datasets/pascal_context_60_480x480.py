# Background is a class like the others.
_base_ = './pascal_context_59_480x480.py'
train_dataloader = dict(dataset=dict(type='PascalContextDataset'))
val_dataloader = dict(dataset=dict(type='PascalContextDataset'))
test_dataloader = val_dataloader

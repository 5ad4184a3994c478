_base_ = './streets_256x512.py'
size = crop_size = (192, 384)
train_dataloader = dict(batch_size=4, dataset=dict(size=size))
val_dataloader = dict(dataset=dict(size=size))
test_dataloader = val_dataloader

# Each street is drawn once and kept as a file. 500 test streets cost nothing.
_base_ = './streets_256x512.py'
size = crop_size = (192, 384)
kept = dict(size=size, cache='work_dirs/streets')
train_dataloader = dict(batch_size=4, dataset=dict(length=400, **kept))
val_dataloader = dict(dataset=dict(length=100, **kept))
test_dataloader = dict(dataset=dict(split='test', length=500, **kept))

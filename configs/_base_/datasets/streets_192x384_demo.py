# Each street is drawn once and kept as a file. 500 test streets cost nothing.
_base_ = './streets_192x384.py'
cache = 'work_dirs/streets'
train_dataloader = dict(dataset=dict(length=400, cache=cache))
val_dataloader = dict(dataset=dict(length=100, cache=cache))
test_dataloader = dict(dataset=dict(split='test', length=500, cache=cache))

# Plain for twice the steps, which takes as long as the taught ones.
_base_ = './deeplabv3plus-r18s_1xb4-400_streets-96x192.py'
iters = 800
param_scheduler = _base_.param_scheduler
param_scheduler[1].end = iters
train_cfg = dict(max_iters=iters, val_interval=iters)

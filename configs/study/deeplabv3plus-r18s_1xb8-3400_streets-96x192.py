# Streets: plain, from scratch, for all steps that teacher and student have.
_base_ = '../demo/deeplabv3plus-r18s_1xb8-3000_streets-192x384.py'
iters = 3400
param_scheduler = _base_.param_scheduler
param_scheduler[1].end = iters
train_cfg = dict(max_iters=iters, val_interval=iters)
model = dict(data_preprocessor=dict(scale=2, low_res_label=False))

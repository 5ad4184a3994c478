# From scratch, at full size.
_base_ = './schedule_lspet.py'
iters = 6000
param_scheduler = [_base_.warm_up, dict(_base_.decay, end=iters)]
train_cfg = dict(max_iters=iters)

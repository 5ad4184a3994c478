# Plain SimCC: half the sides in, the bins of the full size.
_base_ = './simcc-r18s_1xb16-6000_lspet-128x128.py'
load_from = ('work_dirs/lspet/simcc-r18s_1xb16-6000_lspet-128x128/'
             'seed0/iter_6000.pth')
iters = 3000
param_scheduler = [_base_.warm_up, dict(_base_.decay, end=iters)]
train_cfg = dict(max_iters=iters)
model = dict(
    data_preprocessor=dict(type='mmhires.LowResPoseDataPreprocessor', scale=2),
    head=dict(in_featuremap_size=(2, 2)))

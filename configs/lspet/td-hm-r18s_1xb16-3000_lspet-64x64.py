# Plain: half the sides in, heatmaps of 1/4 of that, the full-size weights.
_base_ = [
    '../_base_/models/pose_r18s.py',
    '../_base_/datasets/lspet_128x128_heatmap-16x16.py',
    '../_base_/schedules/schedule_lspet.py',
]
load_from = 'work_dirs/lspet/td-hm-r18s_1xb16-6000_lspet-128x128/seed0/iter_6000.pth'
model = dict(
    data_preprocessor=dict(type='mmhires.LowResPoseDataPreprocessor', scale=2),
    head=dict(out_channels=14, decoder=_base_.codec),
)

# Plain SimCC: half the sides in, the bins of the full size.
_base_ = [
    '../_base_/models/simcc_r18s.py',
    '../_base_/datasets/lspet_128x128_simcc.py',
    '../_base_/schedules/schedule_lspet.py',
]
load_from = 'work_dirs/lspet/simcc-r18s_1xb16-6000_lspet-128x128/seed0/iter_6000.pth'
model = dict(
    data_preprocessor=dict(type='mmhires.LowResPoseDataPreprocessor', scale=2),
    head=dict(
        out_channels=14,
        input_size=_base_.input_size,
        in_featuremap_size=(2, 2),
        decoder=_base_.simcc,
    ),
)

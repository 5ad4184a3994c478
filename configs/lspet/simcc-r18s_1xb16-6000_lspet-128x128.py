# Full size with SimCC.
_base_ = [
    '../_base_/models/simcc_r18s.py',
    '../_base_/datasets/lspet_128x128_simcc.py',
    '../_base_/schedules/schedule_lspet_6000.py',
]
model = dict(
    head=dict(
        out_channels=14,
        input_size=_base_.input_size,
        in_featuremap_size=(4, 4),
        decoder=_base_.simcc,
    )
)

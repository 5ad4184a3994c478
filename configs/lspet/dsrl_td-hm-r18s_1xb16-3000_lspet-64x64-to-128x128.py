# The paper's: SSSR, SISR and FA.
_base_ = [
    '../_base_/models/dsrl_pose_r18s.py',
    '../_base_/datasets/lspet_128x128.py',
    '../_base_/schedules/schedule_lspet.py',
]
load_from = 'work_dirs/lspet/td-hm-r18s_1xb16-6000_lspet-128x128/seed0/iter_6000.pth'
model = dict(head=dict(heatmap_head=dict(out_channels=14, decoder=_base_.codec)))

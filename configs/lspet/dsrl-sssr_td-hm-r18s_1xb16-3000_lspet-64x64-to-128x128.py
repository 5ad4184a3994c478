# SSSR alone: heatmaps of 32x32 from 64x64.
_base_ = './dsrl_td-hm-r18s_1xb16-3000_lspet-64x64-to-128x128.py'
model = dict(head=dict(sisr_head=None, loss_fa=None))

_base_ = './dsrl_espnetv2-s2_1xb4-400_camvid-180x240-to-360x480.py'
model = dict(decode_head=dict(sisr_head=None, loss_fa=None))

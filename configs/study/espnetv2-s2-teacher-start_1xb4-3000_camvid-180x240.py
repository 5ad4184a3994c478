# Plain, from the weights of the full-size network.
_base_ = './espnetv2-s2_1xb4-3000_camvid-180x240.py'
load_from = 'work_dirs/espnetv2-s2_1xb4-800_camvid-360x480/seed0/iter_800.pth'

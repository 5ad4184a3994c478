# Plain, from the weights of the full-size network.
_base_ = './espnetv2-s2_1xb4-3000_camvid-180x240.py'
load_from = 'work_dirs/espnetv2-s2_1xb4-1200_camvid-360x480/seed0/iter_1200.pth'

# From the full-size weights, tested on images enlarged by 13 %.
_base_ = './espnetv2-s2_1xb4-3000_camvid-204x272.py'
load_from = 'work_dirs/espnetv2-s2_1xb4-800_camvid-360x480/seed0/iter_800.pth'

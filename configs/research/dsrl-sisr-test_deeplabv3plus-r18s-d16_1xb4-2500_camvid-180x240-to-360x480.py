# The same model, with PSNR and SSIM of its SISR branch in tests.
_base_ = './dsrl_deeplabv3plus-r18s-d16_1xb4-2500_camvid-180x240-to-360x480.py'
model = dict(type='mmhires.SuperResolvingSegmentor')
test_evaluator = [*_base_.val_evaluator, dict(type='mmhires.SuperResolutionMetric', scale=2)]

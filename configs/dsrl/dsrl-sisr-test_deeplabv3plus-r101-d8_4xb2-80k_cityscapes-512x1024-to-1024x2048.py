# Section 4.6: the same model, with PSNR and SSIM of its SISR branch in tests.
_base_ = [
    '../_base_/models/dsrl_deeplabv3plus_r101-d8.py',
    '../_base_/datasets/cityscapes_1024x2048.py',
    '../_base_/schedules/schedule_80k.py',
    '../_base_/default_runtime.py',
]
model = dict(type='mmhires.SuperResolvingSegmentor', data_preprocessor=dict(size=_base_.crop_size))
test_evaluator = [_base_.val_evaluator, dict(type='mmhires.SuperResolutionMetric', scale=2)]

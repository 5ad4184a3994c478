# Normalisation of all models: the mean and standard deviation of ImageNet,
# which their backbones were trained with.
img_norm_cfg = dict(mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375], bgr_to_rgb=True)

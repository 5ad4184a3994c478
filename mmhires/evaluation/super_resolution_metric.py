# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""PSNR and SSIM of images rebuilt by a super-resolution branch."""

from collections.abc import Sequence
from functools import partial

import numpy as np
import torch.nn.functional as F
from mmengine.evaluator import BaseMetric
from torch import Tensor

from mmhires.models.low_res.reduction import check_reduction, reduce_images
from mmhires.registry import METRICS


@METRICS.register_module()
class SuperResolutionMetric(BaseMetric):
    """Peak signal-to-noise ratio and structural similarity.

    Section 4.6 of `Dual Super-Resolution Learning for Semantic Segmentation
    <https://openaccess.thecvf.com/content_CVPR_2020/html/Wang_Dual_Super-Resolution_Learning_for_Semantic_Segmentation_CVPR_2020_paper.html>`_,
    which prints 0.35 and 0.78 on Cityscapes val and says no more; the first is no PSNR in dB. Here
    both compare 8-bit images over all pixels and the three colour channels, and are averaged over
    the images: ``PSNR`` in dB, ``SSIM`` with the Gaussian window of `Wang et al.
    <https://doi.org/10.1109/TIP.2003.819861>`_ (sigma 1.5). scikit-image computes them.

    The truth is the image that the test pipeline loads. The prediction is ``pred_img`` of the data
    samples, which :class:`SuperResolvingSegmentor` leaves there.

    Args:
        scale: Also measure the bicubic enlargement of the image reduced by ``scale``, as
            ``PSNR.bicubic`` and ``SSIM.bicubic``: what needs no network. Default: None.
        interpolation: How the network's images are reduced, as of
            :class:`LowResSegDataPreProcessor`. Default: ``'bilinear'``.
        **kwargs: Of :class:`mmengine.evaluator.BaseMetric`.

    Raises:
        ImportError: There is no scikit-image.
        KeyError: A sample has no ``pred_img``.
        ValueError: ``pred_img`` is not of the size of the image.
    """

    default_prefix = ''  # None would be warned of

    def __init__(
        self, scale: float | None = None, interpolation: str = 'bilinear', **kwargs
    ) -> None:
        super().__init__(**kwargs)
        if scale is not None:
            self.ratio = check_reduction(self, scale, interpolation)
        self.scale = scale
        self.interpolation = interpolation
        try:
            from skimage import metrics
        except ImportError as error:
            raise ImportError(
                'SuperResolutionMetric needs scikit-image: pip install scikit-image'
            ) from error
        gaussian = dict(gaussian_weights=True, sigma=1.5, use_sample_covariance=False)
        ssim = partial(metrics.structural_similarity, channel_axis=-1, **gaussian)
        self.measures = dict(PSNR=metrics.peak_signal_noise_ratio, SSIM=ssim)

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        """Measure the images of one batch.

        Args:
            data_batch: ``inputs``, images ``(3, H, W)`` of values 0 to 255 as the pipeline loaded
                them.
            data_samples: Each with ``pred_img``.
        """
        for truth, sample in zip(data_batch['inputs'], data_samples):
            if 'pred_img' not in sample:
                raise KeyError(
                    "SuperResolutionMetric: a prediction has no 'pred_img'; set "
                    'model.type=mmhires.SuperResolvingSegmentor, and test without --tta'
                )
            image = sample['pred_img']['data']
            if image.shape != truth.shape:
                raise ValueError(
                    f'SuperResolutionMetric: pred_img is {tuple(image.shape)}, the loaded image '
                    f'{tuple(truth.shape)}; that image is the truth, so the data preprocessor has '
                    'to reduce it: low_res_input=False'
                )
            result = self._measure(truth, image)
            if self.scale is not None:
                result |= self._measure(truth, self._bicubic(truth), suffix='.bicubic')
            self.results.append(result)

    def compute_metrics(self, results: list[dict]) -> dict[str, float]:
        """Average over the images.

        Args:
            results: Measures of each image.

        Returns:
            ``PSNR`` in dB and ``SSIM``, and with ``scale`` the same of bicubic enlargement.

        Raises:
            ValueError: There is no picture.
        """
        if not results:
            raise ValueError('SuperResolutionMetric: there is no picture')
        return {name: float(np.mean([result[name] for result in results])) for name in results[0]}

    def _measure(self, *images: Tensor, suffix: str = '') -> dict[str, float]:
        pair = [x.float().round().clamp(0, 255).byte().permute(1, 2, 0).cpu() for x in images]
        return {
            name + suffix: measure(*(x.numpy() for x in pair), data_range=255)
            for name, measure in self.measures.items()
        }

    def _bicubic(self, truth: Tensor) -> Tensor:
        height, width = truth.shape[-2:]
        step = self.ratio.numerator
        pad = [0, -width % step, 0, -height % step]
        full = F.pad(truth[None].float(), pad, mode='replicate')
        small = reduce_images(full, self.scale, self.interpolation)
        enlarged = F.interpolate(small, size=full.shape[-2:], mode='bicubic')
        return enlarged[0, :, :height, :width]

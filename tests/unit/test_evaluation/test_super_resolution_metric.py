# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
import math
import sys

import pytest
import torch
import torch.nn.functional as F

from mmhires.registry import METRICS


def flat(value, size=(16, 24)):
    return torch.full((3, *size), float(value))


def evaluate(*pairs, **kwargs):
    metric = METRICS.build(dict(type='mmhires.SuperResolutionMetric', **kwargs))
    for truth, image in pairs:
        metric.process(dict(inputs=[truth.byte()]), [dict(pred_img=dict(data=image))])
    return metric.evaluate(len(pairs))


def test_psnr_is_in_decibels_of_eight_bit_images():
    scores = evaluate((flat(100), flat(110)))
    assert scores['PSNR'] == pytest.approx(10 * math.log10(255**2 / 10**2))


def test_ssim_of_flat_images_is_the_luminance_term_of_the_paper():
    c1 = (0.01 * 255) ** 2
    scores = evaluate((flat(100), flat(150)))
    assert scores['SSIM'] == pytest.approx((2 * 100 * 150 + c1) / (100**2 + 150**2 + c1), rel=1e-5)


def test_a_perfect_image_is_best_and_structure_counts():
    torch.manual_seed(0)
    truth = torch.randint(0, 256, (3, 32, 32)).float()
    assert evaluate((truth, truth)) == dict(PSNR=math.inf, SSIM=1)
    assert evaluate((truth, 255 - truth))['SSIM'] < 0


def test_decibels_are_averaged_over_the_images():
    scores = evaluate((flat(100), flat(110)), (flat(100), flat(101)))
    expected = [10 * math.log10(255**2 / error**2) for error in (10, 1)]
    assert scores['PSNR'] == pytest.approx(sum(expected) / 2)


def test_images_are_rounded_and_clipped_to_eight_bits():
    assert evaluate((flat(255), flat(300)))['PSNR'] == math.inf
    assert evaluate((flat(10), flat(10.4)))['PSNR'] == math.inf


@pytest.mark.parametrize('size', [(64, 96), (97, 131)])
def test_bicubic_enlargement_of_the_reduced_image_is_the_reference(size):
    torch.manual_seed(0)
    truth = F.interpolate(255 * torch.rand(1, 3, 12, 16), size, mode='bilinear')[0].byte()
    scores = evaluate((truth, flat(0, size)), scale=2)
    even = [side - side % 2 for side in size]
    cut = truth[None, :, : even[0], : even[1]].float()
    small = F.interpolate(cut, scale_factor=0.5, mode='bilinear', antialias=True)
    bicubic = F.interpolate(small, even, mode='bicubic')[0]
    expected = evaluate((cut[0], bicubic))
    # With odd sizes one more row and column take part.
    tolerance = 1e-6 if size == (64, 96) else 0.02
    for name in ('PSNR', 'SSIM'):
        assert scores[f'{name}.bicubic'] == pytest.approx(expected[name], rel=tolerance)
    assert scores['PSNR.bicubic'] > 30 > scores['PSNR']


def test_prediction_without_an_image_says_which_segmentor_makes_one():
    metric = METRICS.build(dict(type='mmhires.SuperResolutionMetric'))
    with pytest.raises(KeyError, match='SuperResolvingSegmentor'):
        metric.process(dict(inputs=[flat(0)]), [{}])


def test_image_of_another_size_is_refused_with_both_sizes():
    with pytest.raises(ValueError, match=r'3, 32, 48.*3, 16, 24.*low_res'):
        evaluate((flat(0), flat(0, (32, 48))))


def test_without_scikit_image_the_error_names_the_pip_line(monkeypatch):
    monkeypatch.setitem(sys.modules, 'skimage', None)
    with pytest.raises(ImportError, match='pip install scikit-image'):
        METRICS.build(dict(type='mmhires.SuperResolutionMetric'))

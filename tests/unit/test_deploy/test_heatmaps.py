# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Decoding and cropping beside MMPose's own."""

import builtins

import numpy as np
import pytest
import torch

from mmhires.deploy import heatmaps as ours
from mmhires.deploy.crops import PersonCropper
from mmhires.deploy.heatmaps import flip_back, make_codec
from mmhires.deploy.pose import PoseProcessor

pytest.importorskip('mmpose')

from mmpose import codecs
from mmpose.datasets.transforms import TopdownAffine
from mmpose.models.utils.tta import flip_heatmaps, flip_vectors
from mmpose.structures.bbox import bbox_xyxy2cs

SIZES = dict(input_size=(96, 128), heatmap_size=(24, 32))
CODECS = [
    dict(SIZES, type='MSRAHeatmap', sigma=2),
    dict(SIZES, type='MSRAHeatmap', sigma=2, unbiased=True),
    dict(SIZES, type='MSRAHeatmap', sigma=3, unbiased=True, blur_kernel_size=17),
    dict(SIZES, type='UDPHeatmap'),
    dict(SIZES, type='UDPHeatmap', sigma=1, blur_kernel_size=7),
]


def peaks(x, y):
    """Gaussian heatmaps ``(K, 32, 24)`` of sigma 2 with peaks there."""
    rows, columns = np.mgrid[:32, :24]
    x, y = np.float32(x)[:, None, None], np.float32(y)[:, None, None]
    return np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / 8).astype(np.float32)


def all_kinds_of_heatmaps():
    numbers = np.random.default_rng(0)
    places = numbers.uniform(-3, 35, (2, 100)).astype(np.float32)
    whole = np.mgrid[:24, :32].reshape(2, -1)
    yield 'peaks', peaks(*places)
    yield 'a peak at each pixel, borders included', peaks(*whole)
    yield 'noise', numbers.normal(size=(50, 32, 24)).astype(np.float32)
    yield (
        'two equal peaks',
        np.maximum(peaks([5, 20, 0], [5, 3, 31]), peaks([15, 3, 23], [20, 29, 0])),
    )
    yield 'faint', 1e-4 * peaks(*places[:, :20])
    yield 'one pixel', np.eye(32 * 24, dtype=np.float32).reshape(-1, 32, 24)
    yield 'flat', np.full((3, 32, 24), 0.5, np.float32)


@pytest.mark.parametrize('codec', CODECS)
@pytest.mark.parametrize('name, maps', all_kinds_of_heatmaps())
def test_keypoints_are_those_of_mmposes_codec(codec, name, maps):
    options = dict(codec)
    upstream = getattr(codecs, options.pop('type'))(**options)
    before = maps.copy()
    want, want_scores = upstream.decode(maps.copy())
    got, scores = make_codec(**codec).decode(maps)
    assert np.array_equal(maps, before)
    np.testing.assert_array_equal(scores, want_scores)
    np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-3)
    assert got.shape == (1, len(maps), 2)


@pytest.mark.parametrize('codec', CODECS)
def test_heatmaps_without_anything_above_0_get_mmposes_keypoints(codec):
    maps = -peaks([3, 12], [4, 20]) - np.float32(0.1)
    options = dict(codec)
    upstream = getattr(codecs, options.pop('type'))(**options)
    for chosen in (maps, np.concatenate([peaks([9], [9]), maps])):
        want, got = upstream.decode(chosen.copy()), make_codec(**codec).decode(chosen)
        np.testing.assert_allclose(got[0], want[0], rtol=1e-5, atol=1e-3)
        np.testing.assert_array_equal(got[1], want[1])


@pytest.mark.parametrize('shift', [False, True])
@pytest.mark.parametrize('mode, parts', [('heatmap', 1), ('offset', 2), ('udp_combined', 3)])
def test_mirrored_heatmaps_are_those_of_mmpose(mode, parts, shift):
    maps = np.random.default_rng(1).normal(size=(1, 4 * parts, 6, 5))
    options = dict(flip_indices=[1, 0, 3, 2], flip_mode=mode, shift_heatmap=shift)
    want = flip_heatmaps(torch.from_numpy(maps.copy()), **options).numpy()
    before = maps.copy()
    np.testing.assert_array_equal(flip_back(maps, **options), want)
    assert np.array_equal(maps, before)


@pytest.mark.parametrize('use_udp', [False, True])
@pytest.mark.parametrize(
    'box', [(10, 20, 50, 90), (0.3, 1.7, 118.2, 30.1), (-20, -5, 400, 77), (60, 60, 60.5, 61)]
)
@pytest.mark.parametrize('size', [(96, 128), (64, 64)])
def test_crops_are_those_of_mmposes_pipeline(size, box, use_udp):
    image = np.random.default_rng(2).integers(0, 256, (100, 120, 3), np.uint8)
    box = np.float32(box)
    center, scale = bbox_xyxy2cs(box[None], padding=1.25)
    want = TopdownAffine(size, use_udp)(dict(img=image, bbox_center=center, bbox_scale=scale))
    got = PersonCropper(1.25, size, use_udp)(image, box)
    np.testing.assert_array_equal(got.image, want['img'])
    np.testing.assert_allclose(got.center, want['input_center'], rtol=1e-6)
    np.testing.assert_allclose(got.scale, want['input_scale'], rtol=1e-6)


@pytest.mark.parametrize(
    'key, value',
    [
        ('codec', dict(SIZES, type='UDPHeatmap', new=1)),
        ('crop', dict(input_size=[96, 128], rotated=True)),
    ],
)
def test_option_that_is_not_known_is_refused_when_the_file_is_opened(key, value):
    spec = dict(
        preprocessing={},
        padding=1.25,
        flip=None,
        crop=dict(input_size=[96, 128]),
        codec=dict(SIZES, type='UDPHeatmap'),
    )
    PoseProcessor(spec)
    with pytest.raises(TypeError, match='new|rotated'):
        PoseProcessor(spec | {key: value})


def test_rare_codec_is_mmposes():
    options = dict(SIZES, heatmap_type='combined')
    found = make_codec('UDPHeatmap', **options)
    assert type(found) is codecs.UDPHeatmap
    maps = np.random.default_rng(3).random((6, 32, 24), np.float32)
    want = codecs.UDPHeatmap(**options).decode(maps.copy())
    np.testing.assert_array_equal(found.decode(maps)[0], want[0])
    with pytest.raises(ValueError, match='unknown codec'):
        make_codec('os')


def test_rare_codec_without_mmpose_says_what_needs_it(monkeypatch):
    load = builtins.__import__

    def refuse(name, *args, **kwargs):
        if name == 'mmpose':
            raise ImportError('No module named mmpose')
        return load(name, *args, **kwargs)

    monkeypatch.setattr(builtins, '__import__', refuse)
    with pytest.raises(ImportError, match="'MegviiHeatmap' needs MMPose"):
        ours.make_codec('MegviiHeatmap', **SIZES, kernel_size=5)


@pytest.mark.parametrize(
    'more',
    [
        {},
        dict(use_dark=True),
        dict(simcc_split_ratio=3.0, sigma=(4.9, 5.66), decode_visibility=True),
    ],
)
def test_keypoints_of_bins_and_their_flip_are_mmposes(more):
    options = dict(input_size=(24, 32), **more)
    upstream = codecs.SimCCLabel(**options)
    points = np.random.default_rng(4).uniform(-2, 30, (1, 40, 2))
    labels = upstream.encode(points.astype(np.float32))
    x, y = labels['keypoint_x_labels'], labels['keypoint_y_labels']
    x[0, :3], y[0, 2:5] = -x[0, :3], -y[0, 2:5]  # nothing above 0
    want, scores = upstream.decode(x.copy(), y.copy())
    codec = make_codec('SimCCLabel', **options)
    bins = np.concatenate([x, y], -1)
    got, got_scores = codec.decode(bins[0])
    np.testing.assert_array_equal(got, want)
    if more.get('decode_visibility'):
        scores = scores[0]
    np.testing.assert_array_equal(got_scores, scores)
    assert (scores <= 0).any() and (scores > 0).any()
    order = np.random.default_rng(5).permutation(40).tolist()
    mirrored = torch.cat(flip_vectors(torch.from_numpy(x), torch.from_numpy(y), order), -1)
    np.testing.assert_array_equal(codec.flip_back(bins, flip_indices=order), mirrored)

# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Validation of the description in an exported file.

A file may come from anywhere: numbers that no export writes are refused before they become an image
that no memory holds, or an error of some library.
"""

import math
from collections.abc import Iterator
from numbers import Real
from typing import NamedTuple

from .task import COLOR_TYPES

# Pixels that an image is enlarged to at most, and the sides of it.
MAX_PIXELS = 2**26
MAX_SIDE = 2**16
MAX_CLASSES = 2**16
BACKENDS = ('cv2', 'turbojpeg', 'pillow', 'tifffile', None)
INTERPOLATIONS = ('nearest', 'bilinear', 'bicubic', 'area', 'lanczos', 'box', 'hamming')


class Problem(NamedTuple):
    """A key of a description, and the value that it needs."""

    key: str
    value: object
    wanted: str


def check_metadata(spec: dict, name: str) -> None:
    """Raise an error for an invalid description.

    Args:
        spec: As a task's ``describe()`` makes it.
        name: Of the file, for the error.

    Raises:
        ValueError: It says so, naming the first key that is wrong.
    """
    rules = dict(segmentation=_of_segmentation, pose=_of_pose)
    rule = rules.get(spec['task']) if isinstance(spec['task'], str) else None
    problems = [] if rule else [Problem('task', spec['task'], f'one of {", ".join(rules)}')]
    for check in filter(None, (_of_any, rule)):
        problems += check(spec)
    for key, value, wanted in problems:
        text = repr(value)
        text = text if len(text) < 80 else f'{text[:77]}...'
        raise ValueError(
            f'{name}: its metadata has {key}={text}, which must be {wanted}: export it again'
        )


def check_enlarged(spec: dict, height: int, width: int, source: str) -> None:
    """Raise an error if a description makes a picture too large.

    Args:
        spec: One that :func:`check_metadata` has passed.
        height: Of the picture.
        width: Of the picture.
        source: Its name, for the error.

    Raises:
        ValueError: It would have more than ``MAX_PIXELS``, and more than now.
    """
    sizes = [(height, width)]
    if resize := spec.get('resize'):
        sizes.append(_resized(resize, height, width))
    preprocessing = spec['preprocessing']
    divisor = (preprocessing.get('test_cfg') or {}).get('size_divisor') or 1
    sizes.append([math.ceil(side / divisor) * divisor for side in sizes[-1]])
    if preprocessing.get('low_res_input'):
        sizes.append([side * preprocessing['scale'] for side in sizes[0]])
    for sides in sizes:
        if math.prod(sides) > max(MAX_PIXELS, height * width):
            raise ValueError(
                f'{source}: {height}x{width} pixels would become '
                f'{sides[0]:.0f}x{sides[1]:.0f}, more than {MAX_PIXELS}'
            )


def _resized(resize: dict, height: int, width: int) -> tuple[float, float]:
    """Return height and width that mmcv's Resize makes of an image."""
    scale = resize.get('scale')
    if scale is None:
        x, y = _pair(resize['scale_factor'])
        target = width * x, height * y
    else:
        target = _pair(scale)
    if not resize.get('keep_ratio'):
        return target[1], target[0]
    factor = min(max(target) / max(height, width), min(target) / min(height, width))
    return height * factor, width * factor


def _of_any(spec: dict) -> Iterator[Problem]:
    classes = spec['classes']
    if (
        not _list_of(classes, lambda name: isinstance(name, str))
        or not 1 <= len(classes) <= MAX_CLASSES
    ):
        yield Problem('classes', classes, 'a list of names')
        return
    if not _list_of(spec['palette'], _is_color) or len(spec['palette']) != len(classes):
        yield Problem('palette', spec['palette'], f'{len(classes)} colours of 3 numbers up to 255')
    shape = spec['input_shape']
    if (
        not _list_of(shape, lambda n: n is None or _is_side(n), 4)
        or shape[0] not in (1, None)
        or shape[1] != 3
        or not _fits(shape[2:])
    ):
        yield Problem('input_shape', shape, '[1 or null, 3, height, width]')
    size = spec.get('image_shape')
    if size is not None and not (_is_size(size) and _fits(size)):
        yield Problem('image_shape', size, 'a height and a width')
    loading = spec.get('loading', {})
    if (
        not isinstance(loading, dict)
        or loading.get('flag', COLOR_TYPES[0]) not in COLOR_TYPES
        or loading.get('backend') not in BACKENDS
    ):
        yield Problem('loading', loading, f'flag {" or ".join(COLOR_TYPES)}, and a backend of mmcv')
    yield from _of_preprocessing(spec['preprocessing'])


def _of_preprocessing(own: dict) -> Iterator[Problem]:
    if not isinstance(own, dict):
        yield Problem('preprocessing', own, 'a dictionary')
        return
    scale = own.get('scale', 1)
    if not _is_number(scale) or not 1 <= scale <= 16:
        yield Problem('preprocessing.scale', scale, 'from 1 to 16')
    divisor = own.get('size_divisor')
    if divisor is not None and not (_is_side(divisor) and divisor <= 4096):
        yield Problem('preprocessing.size_divisor', divisor, 'from 1 to 4096')
    for key, least in (('mean', -math.inf), ('std', 0)):
        values = own.get(key)
        if values is not None and not (
            _list_of(values, lambda n, least=least: _is_number(n) and n > least)
            and len(values) in (1, 3)
        ):
            yield Problem(f'preprocessing.{key}', values, f'3 numbers{" above 0" * (key == "std")}')
    if not _is_number(own.get('pad_val', 0)):
        yield Problem('preprocessing.pad_val', own['pad_val'], 'a number')
    padding = own.get('test_cfg') or {}
    if not isinstance(padding, dict):
        yield Problem('preprocessing.test_cfg', padding, 'a dictionary')
        return
    size, divisor = padding.get('size'), padding.get('size_divisor')
    if size is not None and not (_is_size(size) and _fits(size)):
        yield Problem('preprocessing.test_cfg.size', size, 'a height and a width')
    if divisor is not None and not (_is_side(divisor) and divisor <= 4096):
        yield Problem('preprocessing.test_cfg.size_divisor', divisor, 'from 1 to 4096')


def _of_segmentation(spec: dict) -> Iterator[Problem]:
    if not isinstance(spec['align_corners'], bool):
        yield Problem('align_corners', spec['align_corners'], 'true or false')
    threshold = spec['threshold']
    if threshold is not None and not (_is_number(threshold) and 0 <= threshold <= 1):
        yield Problem('threshold', threshold, 'from 0 to 1')
    resize = spec['resize']
    if resize is None:
        return
    if not isinstance(resize, dict):
        yield Problem('resize', resize, 'a dictionary')
        return
    scale, factor = resize.get('scale'), resize.get('scale_factor')
    keep = resize.get('keep_ratio')
    if scale is not None:
        # Of the longer side there may be no limit.
        sides = sorted(_pair(scale)) if _is_pair(scale) else [0, 0]
        sides = sides[:1] * 2 if keep else sides
        if not (all(_is_side(n) for n in sides) and _fits(sides)):
            yield Problem('resize.scale', scale, 'a width and a height')
    elif not _is_pair(factor) or max(_pair(factor)) > 64:
        yield Problem('resize.scale_factor', factor, 'above 0, up to 64')
    if (
        resize.get('interpolation', 'bilinear') not in INTERPOLATIONS
        or resize.get('backend') not in BACKENDS
    ):
        yield Problem('resize', resize, 'with an interpolation and a backend of mmcv')


def _of_pose(spec: dict) -> Iterator[Problem]:
    padding, flip = spec['padding'], spec['flip']
    # What 0.1 wrote has no skeleton.
    links, colors = spec.get('skeleton', []), spec.get('skeleton_palette', [])
    ends = range(len(spec['classes']))
    if not _list_of(links, lambda link: _list_of(link, lambda end: end in ends, 2)):
        yield Problem('skeleton', links, f'pairs of 0 to {ends[-1]}')
    elif not _list_of(colors, _is_color, len(links)):
        yield Problem('skeleton_palette', colors, f'{len(links)} colours')
    if not _is_number(padding) or not 0 < padding <= 16:
        yield Problem('padding', padding, 'above 0, up to 16')
    for key in ('crop', 'codec'):
        part = spec[key]
        if not isinstance(part, dict) or not all(map(_is_small, part.values())):
            yield Problem(key, part, f'a dictionary of numbers to {MAX_SIDE}')
            return
        sizes = [part.get('input_size'), part.get('heatmap_size')]
        for size in sizes[:1] + [n for n in sizes[1:] if n is not None]:
            if not (_is_size(size) and _fits(size)):
                yield Problem(f'{key}.input_size', size, 'two sizes')
    if flip is None:
        return
    numbers = list(range(len(spec['classes'])))
    order = flip.get('flip_indices') if isinstance(flip, dict) else None
    if not _list_of(order, _is_number) or sorted(order) != numbers:
        yield Problem('flip.flip_indices', order, f'a permutation of 0 to {numbers[-1]}')
    elif flip.get('flip_mode') not in ('heatmap', 'udp_combined', 'offset'):
        yield Problem('flip.flip_mode', flip.get('flip_mode'), 'heatmap')


def _is_number(value: object) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)


def _is_side(value: object) -> bool:
    return _is_number(value) and value == int(value) and 1 <= value <= MAX_SIDE


def _is_size(value: object) -> bool:
    return isinstance(value, (list, tuple)) and len(value) == 2 and all(map(_is_side, value))


def _is_pair(value: object) -> bool:
    """Return whether it is one or two positive numbers, as Resize takes them."""
    both = value if isinstance(value, (list, tuple)) else [value, value]
    return len(both) == 2 and all(
        isinstance(n, Real) and not isinstance(n, bool) and n > 0 for n in both
    )


def _pair(value: object) -> tuple[float, float]:
    return tuple(value) if isinstance(value, (list, tuple)) else (value, value)


def _is_small(value: object) -> bool:
    """Return whether every number is finite and of a map's order."""
    if isinstance(value, (list, tuple)):
        return len(value) <= 4096 and all(map(_is_small, value))
    if isinstance(value, dict):
        return _is_small(list(value.values()))
    return (
        value is None
        or isinstance(value, (bool, str))
        or (_is_number(value) and abs(value) <= MAX_SIDE)
    )


def _is_color(value: object) -> bool:
    return (
        isinstance(value, (list, tuple))
        and len(value) == 3
        and all(_is_number(n) and 0 <= n <= 255 and n == int(n) for n in value)
    )


def _list_of(value: object, test, length: int | None = None) -> bool:
    return (
        isinstance(value, (list, tuple)) and length in (None, len(value)) and all(map(test, value))
    )


def _fits(sides: list) -> bool:
    return math.prod(side or 1 for side in sides) <= MAX_PIXELS

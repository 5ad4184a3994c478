# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Validation of the description in an exported file.

A file may come from anywhere: numbers that no export writes are refused before they become an image
that no memory holds, or an error of some library.
"""

import math
from collections.abc import Callable, Iterator
from itertools import chain
from numbers import Real

from .processor import COLOR_TYPES

# Pixels that an image is enlarged to at most, and the sides of it.
MAX_PIXELS = 2**26
MAX_SIDE = 2**16
MAX_CLASSES = 2**16
BACKENDS = ('cv2', 'turbojpeg', 'pillow', 'tifffile', None)
INTERPOLATIONS = ('nearest', 'bilinear', 'bicubic', 'area', 'lanczos', 'box', 'hamming')


# Whether it is met, a key of the description, its value, and what that must be.
Requirement = tuple[bool, str, object, str]


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
    requirements = [(rule, 'task', spec['task'], f'one of {", ".join(rules)}')]
    for is_met, key, value, wanted in chain(
        requirements, _of_any(spec), rule(spec) if rule else ()
    ):
        if not is_met:
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


def _of_any(spec: dict) -> Iterator[Requirement]:
    """Yield requirements; each may rely on those before it."""
    classes = spec['classes']
    is_met = _list_of(classes, lambda name: isinstance(name, str))
    yield is_met and 1 <= len(classes) <= MAX_CLASSES, 'classes', classes, 'a list of names'
    is_met, count = _list_of(spec['palette'], _is_color, len(classes)), len(classes)
    yield is_met, 'palette', spec['palette'], f'{count} colours of 3 numbers up to 255'
    shape = spec['input_shape']
    is_met = _list_of(shape, lambda n: n is None or _is_side(n), 4) and shape[0] in (1, None)
    is_met = is_met and shape[1] == 3 and _fits(shape[2:])
    yield is_met, 'input_shape', shape, '[1 or null, 3, height, width]'
    size = spec.get('image_shape')
    yield size is None or _is_size(size), 'image_shape', size, 'a height and a width'
    loading = spec.get('loading', {})
    is_met = isinstance(loading, dict) and loading.get('flag', COLOR_TYPES[0]) in COLOR_TYPES
    is_met = is_met and loading.get('backend') in BACKENDS
    yield is_met, 'loading', loading, f'flag {" or ".join(COLOR_TYPES)}, and a backend of mmcv'
    own = spec['preprocessing']
    yield isinstance(own, dict), 'preprocessing', own, 'a dictionary'
    scale = own.get('scale', 1)
    is_met = _is_number(scale) and 1 <= scale <= 16
    yield is_met, 'preprocessing.scale', scale, 'from 1 to 16'
    for key, least in (('mean', -math.inf), ('std', 0)):
        values = own.get(key)
        is_met = values is None or (_list_of(values, _is_number) and len(values) in (1, 3))
        is_met = is_met and (values is None or min(values) > least)
        yield is_met, f'preprocessing.{key}', values, f'3 numbers{" above 0" * (key == "std")}'
    value = own.get('pad_val', 0)
    yield _is_number(value), 'preprocessing.pad_val', value, 'a number'
    padding = own.get('test_cfg') or {}
    yield isinstance(padding, dict), 'preprocessing.test_cfg', padding, 'a dictionary'
    size = padding.get('size')
    is_met = size is None or _is_size(size)
    yield is_met, 'preprocessing.test_cfg.size', size, 'a height and a width'
    for place, part in (('preprocessing', own), ('preprocessing.test_cfg', padding)):
        divisor = part.get('size_divisor')
        is_met = divisor is None or (_is_side(divisor) and divisor <= 4096)
        yield is_met, f'{place}.size_divisor', divisor, 'from 1 to 4096'


def _of_segmentation(spec: dict) -> Iterator[Requirement]:
    align_corners, threshold = spec['align_corners'], spec['threshold']
    yield isinstance(align_corners, bool), 'align_corners', align_corners, 'true or false'
    is_met = threshold is None or (_is_number(threshold) and 0 <= threshold <= 1)
    yield is_met, 'threshold', threshold, 'from 0 to 1'
    resize = spec['resize']
    if resize is None:
        return
    yield isinstance(resize, dict), 'resize', resize, 'a dictionary'
    scale, factor = resize.get('scale'), resize.get('scale_factor')
    if scale is not None:
        # Of the longer side there may be no limit.
        sides = sorted(_pair(scale)) if _is_pair(scale) else [0, 0]
        sides = sides[:1] * 2 if resize.get('keep_ratio') else sides
        yield _is_size(sides), 'resize.scale', scale, 'a width and a height'
    else:
        is_met = _is_pair(factor) and max(_pair(factor)) <= 64
        yield is_met, 'resize.scale_factor', factor, 'above 0, up to 64'
    is_met = resize.get('interpolation', 'bilinear') in INTERPOLATIONS
    is_met = is_met and resize.get('backend') in BACKENDS
    yield is_met, 'resize', resize, 'with an interpolation and a backend of mmcv'


def _of_pose(spec: dict) -> Iterator[Requirement]:
    # What 0.1 wrote has no skeleton.
    links, colors = spec.get('skeleton', []), spec.get('skeleton_palette', [])
    ends = range(len(spec['classes']))
    is_met = _list_of(links, lambda link: _list_of(link, lambda end: end in ends, 2))
    yield is_met, 'skeleton', links, f'pairs of 0 to {ends[-1]}'
    is_met = _list_of(colors, _is_color, len(links))
    yield is_met, 'skeleton_palette', colors, f'{len(links)} colours'
    padding, flip = spec['padding'], spec['flip']
    yield _is_number(padding) and 0 < padding <= 16, 'padding', padding, 'above 0, up to 16'
    for key in ('crop', 'codec'):
        part = spec[key]
        is_met = isinstance(part, dict) and all(map(_is_small, part.values()))
        yield is_met, key, part, f'a dictionary of numbers to {MAX_SIDE}'
        for name, size in (('input_size', part.get('input_size')), *part.items()):
            if name == 'input_size' or (name == 'heatmap_size' and size is not None):
                yield _is_size(size), f'{key}.{name}', size, 'two sizes'
    if flip is None:
        return
    flip = flip if isinstance(flip, dict) else {}
    order, mode = flip.get('flip_indices'), flip.get('flip_mode')
    is_met = _list_of(order, _is_number) and sorted(order) == list(ends)
    yield is_met, 'flip.flip_indices', order, f'a permutation of 0 to {ends[-1]}'
    yield mode in ('heatmap', 'udp_combined', 'offset'), 'flip.flip_mode', mode, 'heatmap'


def _is_number(value: object) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)


def _is_side(value: object) -> bool:
    return _is_number(value) and value == int(value) and 1 <= value <= MAX_SIDE


def _is_size(value: object) -> bool:
    return _list_of(value, _is_side, 2) and _fits(value)


def _is_pair(value: object) -> bool:
    """Return whether it is one or two positive numbers, as Resize takes them."""
    both = value if isinstance(value, (list, tuple)) else [value, value]
    return _list_of(both, lambda n: isinstance(n, Real) and not isinstance(n, bool) and n > 0, 2)


def _pair(value: object) -> tuple[float, float]:
    return tuple(value) if isinstance(value, (list, tuple)) else (value, value)


def _is_small(value: object) -> bool:
    """Return whether every number is finite and of a map's order."""
    if isinstance(value, (list, tuple)):
        return len(value) <= 4096 and all(map(_is_small, value))
    if isinstance(value, dict):
        return _is_small(list(value.values()))
    is_other = value is None or isinstance(value, (bool, str))
    return is_other or (_is_number(value) and abs(value) <= MAX_SIDE)


def _is_color(value: object) -> bool:
    return _list_of(value, lambda n: _is_number(n) and 0 <= n <= 255 and n == int(n), 3)


def _list_of(value: object, test: Callable[[object], bool], length: int | None = None) -> bool:
    is_list = isinstance(value, (list, tuple)) and length in (None, len(value))
    return is_list and all(map(test, value))


def _fits(sides: list) -> bool:
    return math.prod(side or 1 for side in sides) <= MAX_PIXELS

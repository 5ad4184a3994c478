# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Places of student and teacher that a distillation loss compares."""

import torch.nn.functional as F
from torch import Tensor

from mmhires.models.recording import FEATURES, MAPS

LOGITS = 'logits'


def read_places(owner: str, loss: dict) -> tuple[int | str, int | str]:
    """Take ``on`` out of the config of a loss.

    Args:
        owner: Model that has the loss, for errors.
        loss: Its config, which is changed.

    Returns:
        Place of the student and of the teacher: ``'logits'``, ``'features'`` or the index of a map.

    Raises:
        ValueError: An unknown ``on``.
    """
    on = loss.pop('on', LOGITS)
    places = tuple(on) if isinstance(on, (tuple, list)) else (on, on)
    known = [isinstance(place, int) or place in (LOGITS, FEATURES) for place in places]
    if len(places) != 2 or not all(known):
        raise ValueError(
            f'{owner}: on={on!r} of {loss["type"]} must be '
            "'logits', 'features', the index of a map, or a pair of these for student and teacher"
        )
    return places


def pick(owner: str, outputs: dict, place: int | str, whose: str) -> Tensor:
    """Return the tensor of a place.

    Args:
        owner: Model that has the loss, for errors.
        outputs: As :func:`record` fills it, with ``'logits'``.
        place: From :func:`read_places`.
        whose: ``'student'`` or ``'teacher'``, for errors.

    Returns:
        ``(N, C, H, W)``.

    Raises:
        ValueError: There is none, or several.
    """
    if place == LOGITS:
        return outputs[LOGITS]
    if place == FEATURES:
        if len(outputs[FEATURES]) != 1:
            raise ValueError(
                f"{owner}: on='features', but the last layer of the {whose}'s head, a convolution "
                f'conv_seg or final_layer, ran {len(outputs[FEATURES])} times, where one was '
                'expected; use the index of a map'
            )
        return outputs[FEATURES][0]
    try:
        return outputs[MAPS][place]
    except IndexError:
        raise ValueError(
            f'{owner}: on={place}, but the {whose} has {len(outputs[MAPS])} maps'
        ) from None


def align(owner: str, feat: Tensor, target: Tensor, place: int | str) -> Tensor:
    """Enlarge a map of the student to the size of the teacher's.

    Args:
        owner: Model that has the loss, for errors.
        feat: Of the student, ``(N, C, h, w)``.
        target: Of the teacher, ``(N, C, H, W)``.
        place: Of the student, for errors.

    Returns:
        ``(N, C, H, W)``.

    Raises:
        ValueError: The student's is larger.
    """
    size, full_size = feat.shape[-2:], target.shape[-2:]
    if any(side > full for side, full in zip(size, full_size)):
        raise ValueError(
            f'{owner}: {place} of the student is {tuple(size)}, larger than {tuple(full_size)} of '
            'the teacher, which has to see at least as much: compare the sizes that their data '
            'preprocessors pad to and the strides of their networks'
        )
    if size == full_size:
        return feat
    return F.interpolate(feat, full_size, mode='bilinear')

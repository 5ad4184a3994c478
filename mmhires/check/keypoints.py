# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Meta information of keypoints: one number each, and left beside right."""
from collections.abc import Iterator

from .problem import Problem

# A number for each keypoint, under the name that a config has for it.
NUMBERS = dict(sigmas='sigmas', dataset_keypoint_weights='joint_weights')


def keypoint_problems(metas: dict[str, dict]) -> Iterator[Problem]:
    """Compare lists of the keypoints of each data set, and their swaps.

    Args:
        metas: Meta information of the data sets by key.

    Yields:
        A problem for each list of another length, and for keypoints that a
        flip does not exchange.
    """
    for key, meta in metas.items():
        count = meta.get('num_keypoints')
        if count is None:
            continue
        for name, given in NUMBERS.items():
            numbers = meta.get(name)
            given_any = numbers is not None and len(numbers) > 0
            if given_any and len(numbers) != count:
                yield Problem(
                    'classes', f'{key}.metainfo.{given}',
                    f'{len(numbers)} numbers, but there are {count} '
                    'keypoints', 'give one for each keypoint, in their order')
        flipped = list(meta.get('flip_indices') or ())
        names = meta.get('keypoint_id2name', {})
        wrong = [
            i for i, other in enumerate(flipped)
            if other >= len(flipped) or flipped[other] != i
        ]
        if wrong:
            pairs = ', '.join(f'{names.get(i, i)} with '
                              f'{names.get(flipped[i], flipped[i])}'
                              for i in wrong)
            yield Problem(
                'classes', f'{key}.metainfo.keypoint_info',
                f'swap exchanges {pairs}, which are not exchanged back',
                'name in swap of each one of a pair the other one')

# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Meta information of keypoints: sigmas, and left beside right."""

from ..context import Context
from ..finding import Finding, Findings


def findings(ctx: Context) -> Findings:
    """Compare the sigmas of each data set with its keypoints, and the swaps.

    A flip has to exchange the keypoints of a pair with each other.
    """
    for key, meta in ctx.metas.items():
        count = meta.get('num_keypoints')
        if count is None:
            continue
        sigmas = meta.get('sigmas')
        # Without any, no similarity of keypoints is computed.
        if sigmas is not None and len(sigmas) not in (0, count):
            yield Finding(
                'classes',
                f'{key}.metainfo.sigmas',
                f'{len(sigmas)} numbers, but there are {count} keypoints',
                'give one for each keypoint, in their order',
            )
        flipped = list(meta.get('flip_indices') or ())
        names = meta.get('keypoint_id2name', {})
        wrong = [
            i for i, other in enumerate(flipped) if other >= len(flipped) or flipped[other] != i
        ]
        if wrong:
            pairs = ', '.join(
                f'{names.get(i, i)} with {names.get(flipped[i], flipped[i])}' for i in wrong
            )
            yield Finding(
                'classes',
                f'{key}.metainfo.keypoint_info',
                f'swap exchanges {pairs}, which are not exchanged back',
                'name in swap of each one of a pair the other one',
            )

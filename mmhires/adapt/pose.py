# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Parts that children of top-down pose configs share."""

from .host_config import AdaptError, Upstream, taught


def preprocessing(upstream: Upstream, scale: float) -> dict:
    """Return the data preprocessor that reduces crops.

    Args:
        upstream: The config.
        scale: Full-size crop : network input.

    Raises:
        AdaptError: Not a top-down estimator, or crops that ``scale`` does not divide.
    """
    upstream.expect('TopdownPoseEstimator', 'persons are reduced one by one')
    rounds = upstream.rounds(scale)
    if not rounds and any(side % scale for side in upstream.size):
        raise AdaptError(f'crops of {upstream.size} are not a multiple of {scale}')
    kind = dict(upstream.top_preprocessor, type='mmhires.LowResPoseDataPreprocessor', scale=scale)
    return dict(kind, size_divisor=upstream.stride) if rounds else kind


def has_bins(upstream: Upstream) -> bool:
    """Return whether the head is a SimCC head, whose bins have no map size."""
    head = upstream.cfg.model.get('head') or {}
    return 'in_featuremap_size' in head and 'simcc_split_ratio' in head


def reduced_bins(upstream: Upstream, scale: float, teacher_ckpt: str | None) -> dict:
    """Return settings of a SimCC head on smaller maps, with the same bins.

    Args:
        upstream: The config.
        scale: Full-size crop : network input.
        teacher_ckpt: Weights of the config's model, to start from and to be taught by.

    Returns:
        Settings by name.
    """
    preprocessor = preprocessing(upstream, scale)
    _, maps = upstream.maps(scale)
    height, width = maps[-1].shape[2:]
    head = dict(head=dict(in_featuremap_size=(width, height)))
    return taught(upstream, preprocessor, head, teacher_ckpt)

# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""What children of top-down pose configs have in common."""
from .upstream import AdaptError, Upstream, taught


def preprocessing(upstream: Upstream, scale: float) -> str:
    """The data preprocessor that reduces crops.

    Args:
        upstream: The config.
        scale: Full-size crop : network input.

    Raises:
        AdaptError: Not a top-down estimator, or crops that ``scale`` does not
            divide.
    """
    upstream.expect('TopdownPoseEstimator', 'persons are reduced one by one')
    rounds = upstream.rounds(scale)
    if not rounds and any(side % scale for side in upstream.size):
        raise AdaptError(
            f'crops of {upstream.size} are no multiple of {scale}')
    divisor = f', size_divisor={upstream.stride}' if rounds else ''
    return (f'dict({upstream.top_preprocessor}\n        type='
            f"'mmhires.LowResPoseDataPreprocessor', scale={scale}{divisor})")


def has_bins(upstream: Upstream) -> bool:
    """Tell whether the head is one of SimCC, whose bins have no map size."""
    head = upstream.cfg.model.get('head') or {}
    return 'in_featuremap_size' in head and 'simcc_split_ratio' in head


def reduced_bins(upstream: Upstream, scale: float,
                 teacher_ckpt: str | None) -> str:
    """SimCC and RTMPose: the head reads smaller maps, its bins stay.

    Args:
        upstream: The config.
        scale: Full-size crop : network input.
        teacher_ckpt: Weights of the config's model, to start from and to be
            taught by.

    Returns:
        Python text.
    """
    preprocessor = preprocessing(upstream, scale)
    _, maps = upstream.maps(scale)
    height, width = maps[-1].shape[2:]
    head = f'head=dict(in_featuremap_size=({width}, {height}))'
    return taught(upstream, preprocessor, head, teacher_ckpt)

# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""An unchanged network on reduced images."""

from collections.abc import Iterator

from .dsrl import preprocessing
from .host_config import LOGITS, AdaptError, Upstream, taught
from .pose import has_bins, reduced_bins


def changes(upstream: Upstream, scale: float, teacher_ckpt: str | None) -> Iterator[dict]:
    """Yield settings of a child config.

    Args:
        upstream: The config.
        scale: Full-size image : network input.
        teacher_ckpt: Weights of the config's model, to start from and to be taught by.

    Yields:
        Settings by name.

    Raises:
        AdaptError: The model has another frame, or predicts heatmaps.
    """
    if upstream.task.crops:
        if not has_bins(upstream):
            raise AdaptError(
                f'{upstream.cfg.model.get("head", {}).get("type")} predicts '
                'heatmaps of a share of what the network sees, so that every '
                'pipeline would need another codec: take dsrl, which keeps it'
            )
        yield reduced_bins(upstream, scale, teacher_ckpt)
        return
    upstream.expect('EncoderDecoder', 'images are reduced for one decode head')
    yield taught(upstream, preprocessing(upstream, scale), {}, teacher_ckpt, [LOGITS])

# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Images without labels in a batch, which only a teacher has losses for."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

# In the meta information of their samples, see PartlyLabelledDataset.
_KEY = 'unlabelled'


def is_unlabelled(sample: object) -> bool:
    """Tell whether a data sample is of an image without labels."""
    return bool(sample.metainfo.get(_KEY))


def split_by_labels(samples: Sequence) -> list[tuple[bool, list[int]]]:
    """Split a batch.

    Args:
        samples: Data samples.

    Returns:
        Whether there are labels, and which samples these are; labelled ones first, and no part that
        is empty.
    """
    parts = {True: [], False: []}
    for index, sample in enumerate(samples):
        parts[not is_unlabelled(sample)].append(index)
    return [part for part in parts.items() if part[1]]


def refuse_unlabelled(model: nn.Module, samples: Sequence) -> None:
    """Reject images without labels for a model that nobody teaches.

    Its losses would count their pixels as labelled or become NaN.

    Args:
        model: Whose losses are wanted.
        samples: Data samples.

    Raises:
        ValueError: One of them has no labels.
    """
    if any(map(is_unlabelled, samples)):
        raise ValueError(
            f'{type(model).__name__}: images without labels teach nothing without a teacher; use '
            "type='mmhires.DistilledSegmentor' with teacher and teacher_ckpt, or remove "
            'mmhires.PartlyLabelledDataset from train_dataloader.dataset'
        )


def labels_of(logits: Tensor) -> Tensor:
    """Classes ``(N, H, W)`` that logits ``(N, C, H, W)`` predict."""
    if logits.shape[1] == 1:  # of class 1 against class 0
        return (logits[:, 0] > 0).long()
    return torch.argmax(logits, 1)

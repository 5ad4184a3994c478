# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""What the data sets of a config give, as far as their files are there."""
from collections.abc import Iterator
from dataclasses import dataclass, field

import torch

from mmhires.datasets.label_census import LabelCensus

from .problem import Problem


@dataclass
class Samples:
    """What was seen of the data sets, by their keys in the config.

    Attributes:
        packed: Samples that the pipelines give: the first one of each data
            set, and further ones of other sizes.
        censuses: Of the labels.
        lengths: Number of samples in an epoch, by loader.
    """
    packed: dict[str, list[dict]] = field(default_factory=dict)
    censuses: dict[str, LabelCensus] = field(default_factory=dict)
    lengths: dict[str, int] = field(default_factory=dict)

    def of(self, *splits: str) -> Iterator[dict]:
        """Yield samples of splits.

        Args:
            splits: Such as ``'train'``.

        Yields:
            ``inputs`` and ``data_samples``.
        """
        for key, samples in self.packed.items():
            if key.split('_dataloader')[0] in splits:
                yield from samples

    def ignored_in_training(self) -> bool | None:
        """Whether training labels hold pixels of 255; None if none was seen.
        """
        counts = [
            census.ignored for key, census in self.censuses.items()
            if key.startswith('train')
        ]
        for sample in self.of('train'):
            label = getattr(sample['data_samples'], 'gt_sem_seg', None)
            if label is not None:
                counts.append(int((label.data == 255).sum()))
        return any(counts) if counts else None


def channel_problems(samples: Samples, channels: int) -> Iterator[Problem]:
    """Compare images of the data sets with those that the model takes.

    Args:
        samples: What the data sets give.
        channels: Of the images that the model takes.

    Yields:
        A problem for each data set whose images have other ones.
    """
    for key, packed in samples.packed.items():
        inputs = packed[0].get('inputs')
        if torch.is_tensor(inputs) and inputs.ndim == 3 and \
                len(inputs) != channels:
            yield Problem(
                'width', f'{key}.pipeline',
                f'images of {len(inputs)} channels, but the model takes '
                f'{channels}', 'compare LoadImageFromFile(color_type=...) '
                'with in_channels of the backbone, and with mean and std')

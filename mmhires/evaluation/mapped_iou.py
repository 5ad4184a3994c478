# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""IoU of a network that was trained on another data set's classes."""

from collections.abc import Sequence

import torch

from mmhires.registry import METRICS

from .classwise_iou import ClasswiseIoUMetric

# What pictures show as no class; beyond the classes, where they are more.
NOWHERE = 255


@METRICS.register_module()
class MappedIoUMetric(ClasswiseIoUMetric):
    """IoU after mapping predicted classes to those of the data set.

    For zero-shot tests: a network of Cityscapes on CamVid, for example. The predictions themselves
    are changed, so that further metrics and pictures of the test have the classes of the data set
    too.

    Args:
        class_map: For each class of the network in its order the class of the data set, or None for
            one that the data set does not have; pixels predicted as such are wrong.
        **kwargs: As of :class:`ClasswiseIoUMetric`.

    Raises:
        ValueError: ``class_map`` names a class that the data set does not have, or the network
            predicted one that ``class_map`` does not.
    """

    def __init__(self, class_map: Sequence[str | None], **kwargs) -> None:
        super().__init__(**kwargs)
        self.class_map = list(class_map)

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        """Collect the areas of one batch.

        Args:
            data_batch: Not used.
            data_samples: Each with ``pred_sem_seg`` of the network's and ``gt_sem_seg`` of the data
                set's classes, whose ``data`` is (1, H, W). The former becomes one of the data set's
                classes, 255 where ``class_map`` has None, or their number if that is more.
        """
        self.check_classes('class_map', set(self.class_map) - {None})
        number = {name: i for i, name in enumerate(self.dataset_meta['classes'])}
        nowhere = max(NOWHERE, len(number))
        numbers = torch.tensor([number.get(name, nowhere) for name in self.class_map])
        for sample in data_samples:
            pred = sample['pred_sem_seg']['data']
            if pred.max() >= len(self.class_map):
                raise ValueError(
                    f'class_map has {len(self.class_map)} classes, but the '
                    f'network predicted class {int(pred.max())}'
                )
            # As an index uint8 would be a mask.
            pred.copy_(numbers.to(pred.device)[pred.long()])
        super().process(data_batch, data_samples)

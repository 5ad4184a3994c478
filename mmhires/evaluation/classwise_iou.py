# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""IoU of each class and of groups of classes as numbers."""

import logging
import math
from collections.abc import Iterable, Sequence

import torch
from mmengine.logging import print_log
from mmseg.evaluation import IoUMetric
from torch import Tensor

from mmhires.registry import METRICS


def count_areas(pred_label: Tensor, label: Tensor, num_classes: int) -> tuple[Tensor, ...]:
    """Count areas over valid pixels; values that are not a class count nowhere.

    Upstream counts by ``histc``, which raises on a GPU under
    ``randomness=dict(deterministic=True)``.

    Args:
        pred_label: Predicted classes, int64, of any shape.
        label: True classes, of the same.
        num_classes: Number of classes.

    Returns:
        Intersection, union, prediction and label, each (num_classes, ), on the CPU.
    """
    intersect, pred, true = (
        torch.bincount(x[(x >= 0) & (x < num_classes)], minlength=num_classes)
        for x in (pred_label[pred_label == label], pred_label, label)
    )
    areas = intersect, pred + true - intersect, pred, true
    return tuple(area.float().cpu() for area in areas)


@METRICS.register_module()
class ClasswiseIoUMetric(IoUMetric):
    """mmseg's ``IoUMetric`` that also returns the values of its table.

    Beside mmseg's results it gives ``IoU.{class}`` for every class that occurs in the labels or the
    predictions, and ``mIoU.{group}``, the mean over the classes of each group that occur. All are
    percentages.

    Args:
        groups: Classes by group, for example ``dict(thin=['pole', 'sign'])``. Defaults to None.
        classwise: Whether to return the single classes. Defaults to True.
        **kwargs: As ``mmseg.evaluation.IoUMetric``.

    Attributes:
        image_areas (list[tuple[Tensor, Tensor]]): Of the last evaluation: intersection and union of
            each class, image by image.

    Raises:
        ValueError: If a group names a class that the dataset does not have.
    """

    quantity = 'IoU'

    def __init__(self, groups: dict | None = None, classwise: bool = True, **kwargs) -> None:
        super().__init__(**kwargs)
        self.groups = dict(groups or {})
        self.classwise = classwise
        self.image_areas = []

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        """Collect the areas of one batch.

        Args:
            data_batch: Not used.
            data_samples: Each with ``pred_sem_seg`` and ``gt_sem_seg``, whose ``data`` is (1, H,
                W).
        """
        for group, names in self.groups.items():
            self.check_classes(f'group {group!r}', names)
        # Upstream casts the truth to the type of the prediction: in uint8, -1
        # and 256 are 255 and 0.
        preds = [dict(data=sample['pred_sem_seg']['data'].long()) for sample in data_samples]
        samples = [dict(sample, pred_sem_seg=pred) for sample, pred in zip(data_samples, preds)]
        super().process(data_batch, samples)

    def check_classes(self, owner: str, names: Iterable[str]) -> None:
        """Raise an error for class names that the dataset does not have.

        Args:
            owner: Whose names they are, for the error.
            names: The names.

        Raises:
            ValueError: One of them is not a class.
        """
        classes = list(self.dataset_meta['classes'])
        unknown = sorted(set(names) - set(classes))
        if unknown:
            raise ValueError(f'{owner} names {unknown}, but the classes are {classes}')

    def intersect_and_union(
        self, pred_label: Tensor, label: Tensor, num_classes: int, ignore_index: int
    ) -> tuple[Tensor, ...]:
        """Return the areas of one picture; see :func:`count_areas`.

        Args:
            pred_label: Predicted classes, of any shape.
            label: True classes, of the same.
            num_classes: Number of classes.
            ignore_index: Label of pixels that do not count.

        Returns:
            Intersection, union, prediction and label, each (num_classes, ), on the CPU.
        """
        pred_label, label = pred_label.long(), label.long()
        valid = label != ignore_index
        return count_areas(pred_label[valid], label[valid], num_classes)

    def compute_metrics(self, results: list) -> dict:
        """Compute the metrics of the whole set.

        Args:
            results: Per image, areas by class: intersection, union, prediction, label.

        Returns:
            Percentages by name.

        Raises:
            ValueError: No picture has a labelled pixel.
        """
        if not self.format_only and not sum(float(areas[3].sum()) for areas in results):
            raise ValueError(
                f'{type(self).__name__}: none of the {len(results)} pictures has a labelled pixel; '
                'look at the labels, reduce_zero_label and ignore_index'
            )
        metrics = super().compute_metrics(results)
        if self.format_only:
            return metrics
        self.image_areas = [areas[:2] for areas in results]
        intersect, union = (sum(areas).tolist() for areas in zip(*self.image_areas))
        classes = self.dataset_meta['classes']
        labelled = sum(areas[3] for areas in results).tolist()
        absent = [name for name, area in zip(classes, labelled) if not area]
        if len(classes) > 1 and len(absent) == len(classes) - 1:
            text = 'the labels hold one class only; nothing is measured of'
            text = f'{type(self).__name__}: {text} {", ".join(absent)}'
            print_log(text, 'current', logging.WARNING)
        areas = zip(classes, intersect, union)
        iou = {name: round(100 * part / whole, 2) for name, part, whole in areas if whole}
        if self.classwise:
            metrics.update({f'{self.quantity}.{name}': value for name, value in iou.items()})
        for group, names in self.groups.items():
            present = [iou[name] for name in names if name in iou]
            mean = sum(present) / len(present) if present else math.nan
            metrics[f'm{self.quantity}.{group}'] = mean
        return metrics

# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Pictures without labels beside the training images of a config."""

from mmhires.datasets.partly_labelled import list_pictures, pictures_in_batch

from .host_config import AdaptError, Upstream
from .writing import Code


def partly_labelled(upstream: Upstream, teacher_ckpt: str | None, folder: str) -> dict:
    """Choose the data loader of a student that learns from a folder as well.

    Args:
        upstream: The config.
        teacher_ckpt: Weights of the teacher.
        folder: With the pictures.

    Returns:
        Settings by name.

    Raises:
        AdaptError: There is no teacher, or the config is of poses.
        OSError: There is no such folder, or no picture in it.
        ValueError: There are fewer pictures than a batch needs.
    """
    if teacher_ckpt is None:
        raise AdaptError(
            'images without labels teach nothing without a '
            'teacher: give --teacher-ckpt to dsrl, hrfr or plain'
        )
    if upstream.task.crops:
        raise AdaptError(
            'a picture without labels does not say where its '
            'persons are: --unlabelled is of segmentation'
        )
    base = upstream.cfg.get('train_dataloader') or {}
    if 'dataset' not in base:
        raise AdaptError('has no train_dataloader that pictures could join')
    list_pictures(folder, pictures_in_batch(base.get('batch_size', 1)))
    dataset = dict(
        _delete_=True,
        type='mmhires.PartlyLabelledDataset',
        dataset=Code('_base_.train_dataloader.dataset'),
        unlabelled=folder,
    )
    return dict(train_dataloader=dict(dataset=dataset))

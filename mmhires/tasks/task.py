# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Base class of the tasks."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from torch import nn


class Task:
    """Names and functions of one package of OpenMMLab.

    Attributes:
        name: Of the task, in exported files.
        scope: ``default_scope`` of its configs, and package.
        install: What pip installs for it.
        units: What its predictions consist of.
        heads: Attributes of its models that hold heads; that which predicts is the first.
        last_layer: Convolution or linear layer that ends a head.
        loss: Key of the loss in the config of a head.
        labels: Fields of data samples that hold labels.
        wrapped: Key of the head that DSRL's head wraps, in its config.
        preprocessor: Data preprocessor that leaves the full-size image as ``gt_img``.
        frame: The segmentor or estimator that methods are brought to.
        distilled: The same with a teacher.
        crops: Whether networks see crops of one size, which is not padded and which codecs and
            test data are bound to.
        drops_load_from: Whether its ``train.py`` sets ``load_from`` to None if it resumes.
    """

    name: str
    scope: str
    install: str
    units: str
    last_layer: str
    heads: tuple[str, ...] = ('head',)
    loss: str = 'loss'
    labels: tuple[str, ...] = ()
    wrapped: str = ''
    preprocessor: str = ''
    frame: str = ''
    distilled: str = ''
    crops: bool = True
    drops_load_from: bool = True

    @property
    def head(self) -> str:
        """Attribute of its models that holds the head which predicts."""
        return self.heads[0]

    def made(self, model: 'nn.Module') -> bool:
        """Return whether a model is one of this task."""
        packages = {base.__module__.partition('.')[0] for base in type(model).__mro__}
        return self.scope in packages

    def plain_head(self, model_cfg: Mapping) -> Mapping:
        """Return the config of the head, or of that which DSRL's head wraps."""
        head = model_cfg.get(self.head) or {}
        return head.get(self.wrapped, head)

    def suits_drawn_images(self, model_cfg: Mapping) -> bool:
        """Return whether a model trains on and predicts what :meth:`draw` returns."""
        return True

    def draw(self, meta: Mapping, channels: int, size: tuple[int, int]) -> dict:
        """Draw an image at random, with labels.

        Args:
            meta: Meta information of the data.
            channels: Of the image; 1 is an image without that axis.
            size: Height and width, for tasks without a size of their own.

        Returns:
            A sample as a pipeline has it after loading.
        """
        raise NotImplementedError

    def pipelines(self, steps: Sequence[dict], size: tuple[int, int]) -> list[Sequence[dict]]:
        """Return pipelines that drawn images can be taken through, the best first.

        Args:
            steps: The training pipeline of a config; empty if there is none.
            size: Height and width of training images.
        """
        return [steps] if steps else []

    def codec(self, model: 'nn.Module') -> object | None:
        """Return what decodes the head's prediction, if anything does."""
        return None

    def named_outputs(self, model: 'nn.Module', saved: dict) -> dict:
        """Return names and colours of what a model predicts.

        Args:
            model: With ``cfg``.
            saved: Meta information of a checkpoint.

        Raises:
            ValueError: There are no names for its outputs.
        """
        return saved or model.dataset_meta

    def predict(self, model: 'nn.Module', image: str | np.ndarray) -> object:
        """Predict as the package does: labels ``(H, W)`` or a data sample."""
        raise NotImplementedError

    def painter(
        self, model: 'nn.Module', opacity: float | None, with_labels: bool
    ) -> Callable[..., np.ndarray]:
        """Return a function that paints a prediction, see :func:`make_painter`.

        Raises:
            ValueError: There is nothing to paint.
        """
        raise ValueError(
            f'a {type(model).__name__} is neither a segmentor nor a '
            'top-down pose estimator: nothing to paint'
        )


def drawn_image(channels: int, size: tuple[int, int]) -> dict:
    """Draw the part of a sample that all tasks have."""
    # A loader of grey images gives no axis of channels.
    shape = size if channels == 1 else (*size, channels)
    image = np.random.randint(0, 256, shape, dtype=np.uint8)
    return dict(
        img=image,
        img2=image,  # for the detection of changes
        img_shape=size,
        ori_shape=size,
        img_path='drawn',
        img_id=0,
    )

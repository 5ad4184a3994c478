# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Pre- and post-processing of a segmentor, as plain data."""

from typing import TYPE_CHECKING

import numpy as np

from .labelling import labels
from .preparation import Preparation, resize
from .processor import Array, Processor, is_floating, to_array

if TYPE_CHECKING:
    from torch import nn


class SegmentationProcessor(Processor):
    """From an image to the network's input, and from logits to labels.

    Args:
        spec: What :meth:`describe` returned.
    """

    neutral = (
        'InferencerLoader',
        'LoadImageFromFile',
        'LoadImageFromNDArray',
        'LoadAnnotations',
        'PackSegInputs',
    )
    steps = ('Resize',)

    def __init__(self, spec: dict) -> None:
        super().__init__(spec)
        self.prepared = Preparation(**spec['preprocessing'])
        self.resize = spec['resize']

    @staticmethod
    def preprocessors() -> tuple[type, ...]:
        """Return the data preprocessors that exported files support."""
        from mmseg.models import SegDataPreProcessor

        from mmhires.models.low_res import LowResSegDataPreProcessor

        return SegDataPreProcessor, LowResSegDataPreProcessor

    @classmethod
    def describe(cls, model: 'nn.Module') -> dict:
        """Describe everything about a model but its network.

        Args:
            model: Segmentor with ``cfg`` and ``dataset_meta``, as :func:`mmseg.apis.init_model`
                returns it.

        Returns:
            Numbers, strings, lists and dicts.

        Raises:
            ValueError: The model tests in a way that cannot be exported.
        """
        if model.test_cfg.get('mode', 'whole') != 'whole':
            raise ValueError(
                "only whole images can be exported: set model.test_cfg to dict(mode='whole')"
            )
        classes = list(model.dataset_meta['classes'])
        if len(classes) != model.num_classes:
            raise ValueError(
                f'the model tells {model.num_classes} classes apart, but its dataset_meta names '
                f'{len(classes)}'
            )
        head, source = model.decode_head, model.data_preprocessor
        pipeline = cls.read_pipeline(model.cfg.test_pipeline)
        return dict(
            task='segmentation',
            loading=pipeline['loading'],
            classes=classes,
            palette=[list(map(int, c)) for c in model.dataset_meta['palette']],
            preprocessing=dict(
                cls.read_preprocessor(source, 'pad_val'),
                test_cfg=dict(source.test_cfg) if source.test_cfg else None,
            ),
            resize=pipeline.get('Resize'),
            align_corners=head.align_corners,
            threshold=head.threshold if head.out_channels == 1 else None,
        )

    def prepare(
        self, image: np.ndarray, boxes: None, device: str
    ) -> tuple[list[Array], list[dict]]:
        """Resize, normalise, pad and reduce an image.

        Args:
            image: BGR ``(H, W, 3)``, uint8.
            boxes: Of pose models only.
            device: Unused: images are prepared on the CPU.

        Returns:
            ``(1, 3, h, w)``, and arguments of :func:`labels` for the network's logits.
        """
        out_size = self.prepared.enlarged(image.shape[:2])
        if self.resize is not None:
            image = resize(image, **self.resize)
        inputs, options = self.prepared(image)
        options.update({key: self.spec[key] for key in ('align_corners', 'threshold')})
        return [inputs], [dict(options, out_size=out_size)]

    def finish(self, outputs: list[Array], metas: list[dict]) -> np.ndarray:
        """Return labels ``(H, W)`` at the size of the image."""
        (out,) = outputs
        if is_floating(out):  # else the network has made them
            out = labels(out, **metas[0])
        return to_array(out[0])

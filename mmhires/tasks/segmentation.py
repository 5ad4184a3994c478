# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Classes of pixels, of MMSegmentation."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from .task import Task, drawn_image

if TYPE_CHECKING:
    from torch import Tensor, nn

# Side of the squares of one class in a drawn label.
SQUARE = 32


class Segmentation(Task):
    """A class for each pixel of an image."""

    name = 'segmentation'
    scope = 'mmseg'
    install = 'mmsegmentation'
    units = 'pixels'
    heads = ('decode_head', 'auxiliary_head')
    last_layer = 'conv_seg'
    loss = 'loss_decode'
    labels = ('gt_sem_seg',)
    wrapped = 'seg_head'
    preprocessor = 'mmhires.LowResSegDataPreProcessor'
    frame = 'EncoderDecoder'
    distilled = 'mmhires.DistilledSegmentor'
    crops = False
    drops_load_from = False

    def made(self, model: 'nn.Module') -> bool:
        """Return whether a model has a decode head, whatever package it is of."""
        return hasattr(model, self.head)

    def draw(self, meta: Mapping, channels: int, size: tuple[int, int]) -> dict:
        """Draw an image of squares of all classes; all of depth 1."""
        classes = len(meta.get('classes') or range(2))
        squares = np.random.randint(0, classes, [side // SQUARE + 1 for side in size])
        label = squares.astype(np.uint8).repeat(SQUARE, 0).repeat(SQUARE, 1)
        return dict(
            drawn_image(channels, size),
            gt_seg_map=label[: size[0], : size[1]],
            gt_depth_map=np.ones(size, np.float32),
            seg_map_path='drawn',
            seg_fields=['gt_seg_map', 'gt_depth_map'],
            reduce_zero_label=False,
            label_map=None,
        )

    def pipelines(self, steps: Sequence[dict], size: tuple[int, int]) -> list[Sequence[dict]]:
        """Return the config's pipeline, and one that resizes."""
        resize = [dict(type='Resize', scale=tuple(size[::-1])), dict(type='PackSegInputs')]
        return [*super().pipelines(steps, size), resize]

    def batch(self, images: Iterable['Tensor'], labels: Iterable['Tensor']) -> dict:
        """Return images with labels as a data loader delivers them.

        Args:
            images: ``(C, H, W)`` each, uint8.
            labels: ``(H, W)`` each.
        """
        from mmengine.structures import PixelData
        from mmseg.structures import SegDataSample

        images, samples = list(images), []
        for image, label in zip(images, labels):
            size = tuple(image.shape[1:])
            meta = dict(img_path='drawn', ori_shape=size, img_shape=size)
            samples.append(SegDataSample(gt_sem_seg=PixelData(data=label[None]), metainfo=meta))
        return dict(inputs=images, data_samples=samples)

    def named_outputs(self, model: 'nn.Module', saved: dict) -> dict:
        """Return names and colours for the classes of a segmentor."""
        from mmseg.registry import DATASETS

        cfg, counts = model.cfg, []
        dataset = cfg.get('test_dataloader', {}).get('dataset', {})
        cls = DATASETS.get(dataset.get('type', ''))
        tested = getattr(cls, 'METAINFO', {}) | dataset.get('metainfo', {})
        sources = {
            'the checkpoint': saved,
            'dataset_meta of the config': cfg.get('dataset_meta', {}),
            'its test dataset': tested,
        }
        for where, meta in sources.items():
            names, colors = meta.get('classes') or (), meta.get('palette') or ()
            if names and len(names) == len(colors):
                if len(names) == model.num_classes:
                    return dict(meta)
                counts.append(f'{len(names)} by {where}')
        raise ValueError(
            f'the network tells {model.num_classes} classes apart, but there are '
            f'names and colours of {", ".join(counts) or "none"}: add '
            'dataset_meta=dict(classes=..., palette=...) to the config'
        )

    def predict(self, model: 'nn.Module', image: str | np.ndarray) -> np.ndarray:
        """Return labels ``(H, W)``."""
        from mmseg.apis import inference_model

        return inference_model(model, image).pred_sem_seg.data[0].cpu().numpy()

    def painter(
        self, model: 'nn.Module', opacity: float | None, with_labels: bool
    ) -> Callable[..., np.ndarray]:
        """Return a function that paints classes as MMSegmentation does."""
        import mmcv
        from mmseg.apis import inference_model
        from mmseg.visualization import SegLocalVisualizer

        visualizer = SegLocalVisualizer(alpha=opacity or 0.5)
        visualizer.dataset_meta = model.dataset_meta

        def paint(image: np.ndarray, boxes: None = None) -> np.ndarray:
            if boxes is not None:
                raise ValueError('boxes are of pose estimators')
            sample = inference_model(model, image)
            height, width = sample.pred_sem_seg.shape
            if image.shape[:2] != (height, width):
                image = mmcv.imresize(image, (width, height), interpolation='bicubic')
            rgb = mmcv.bgr2rgb(image)
            visualizer.add_datasample('', rgb, sample, with_labels=with_labels)
            return mmcv.rgb2bgr(visualizer.get_image())

        return paint


TASK = Segmentation()

# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Pre- and post-processing of a segmentor, as plain data."""
import numpy as np
from mmcv.transforms import Resize
from mmseg.models import SegDataPreProcessor
from mmseg.structures import SegDataSample
from torch import Tensor, nn

from mmhires.models.data_preprocessors import LowResSegDataPreProcessor

from .labels import labels
from .task import Task


class SegmentationTask(Task):
    """From an image to the network's input, and from logits to labels.

    Args:
        spec (dict): What :meth:`describe` returned.
    """
    neutral = ('LoadAnnotations', 'LoadImageFromFile', 'LoadImageFromNDArray',
               'PackSegInputs')
    steps = ('Resize', )
    preprocessors = (SegDataPreProcessor, LowResSegDataPreProcessor)

    def __init__(self, spec: dict) -> None:
        super().__init__(spec)
        self.preprocessor = LowResSegDataPreProcessor(
            min_size=1, **spec['preprocessing'])
        # Tuples became lists in the file.
        self.resize = spec['resize'] and Resize(
            **{
                name: tuple(value) if isinstance(value, list) else value
                for name, value in spec['resize'].items()
            })

    @classmethod
    def describe(cls, model: nn.Module) -> dict:
        """All that is known of a model but its network.

        Args:
            model (nn.Module): Segmentor with ``cfg`` and ``dataset_meta``, as
                :func:`mmseg.apis.init_model` returns it.

        Returns:
            dict: Numbers, strings, lists and dicts.

        Raises:
            ValueError: The model tests in a way that cannot be exported.
        """
        if model.test_cfg.get('mode', 'whole') != 'whole':
            raise ValueError("only whole images can be exported: set "
                             "model.test_cfg to dict(mode='whole')")
        classes = list(model.dataset_meta['classes'])
        if len(classes) != model.num_classes:
            raise ValueError(f'the model tells {model.num_classes} classes '
                             f'apart, but its dataset_meta names '
                             f'{len(classes)}')
        head, source = model.decode_head, model.data_preprocessor
        pipeline = cls.read_pipeline(model.cfg.test_pipeline)
        return dict(
            task='segmentation',
            loading=pipeline['loading'],
            classes=classes,
            palette=[list(map(int, c)) for c in model.dataset_meta['palette']],
            preprocessing=dict(
                cls.read_preprocessor(source, 'pad_val'),
                bgr_to_rgb=source.channel_conversion,
                test_cfg=dict(source.test_cfg) if source.test_cfg else None),
            resize=pipeline.get('Resize'),
            align_corners=head.align_corners,
            threshold=head.threshold if head.out_channels == 1 else None)

    def prepare(self, image: np.ndarray, boxes: None,
                device: str) -> tuple[list[Tensor], list[dict]]:
        """Resize, normalise, pad and reduce an image.

        Args:
            image (np.ndarray): BGR ``(H, W, 3)``, uint8.
            boxes (None): Of pose models only.
            device (str): Where to compute.

        Returns:
            tuple[list[Tensor], list[dict]]: ``(1, 3, h, w)``, and arguments of
            :func:`labels` for the network's logits.
        """
        ori_shape = image.shape[:2]
        if self.resize is not None:
            image = self.resize(dict(img=image))['img']
        sample = SegDataSample(
            metainfo=dict(ori_shape=ori_shape, img_shape=image.shape[:2]))
        data = self.preprocess(image, device, [sample])
        meta = data['data_samples'][0].metainfo
        options = dict(
            size=meta.get('pad_shape', meta['img_shape']),
            padding=meta.get('img_padding_size', (0, 0, 0, 0)),
            out_size=meta['ori_shape'],
            align_corners=self.spec['align_corners'],
            threshold=self.spec['threshold'])
        return [data['inputs']], [options]

    def finish(self, outputs: list[Tensor], metas: list[dict]) -> np.ndarray:
        """Labels ``(H, W)`` at the size of the image."""
        out, = outputs
        if out.is_floating_point():  # else the network has made them
            out = labels(out, **metas[0])
        return out[0].cpu().numpy()

# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""What lies before and after the network of a segmentor, as plain data."""
import numpy as np
import torch
from mmcv.transforms import Resize
from mmengine.config import Config
from mmseg.models import SegDataPreProcessor
from mmseg.structures import SegDataSample
from torch import Tensor, nn

from mmhires.models.data_preprocessors import LowResSegDataPreProcessor

from .labels import labels

# Steps of a test pipeline that do nothing to the image.
_NEUTRAL = ('LoadAnnotations', 'LoadImageFromFile', 'LoadImageFromNDArray',
            'PackSegInputs')


class SegmentationTask:
    """From an image to the network's input, and from logits to labels.

    Args:
        spec (dict): What :meth:`describe` returned.
    """
    name = 'segmentation'

    def __init__(self, spec: dict) -> None:
        self.spec = spec
        self.preprocessor = LowResSegDataPreProcessor(
            min_size=1, **spec['preprocessing'])
        # Tuples became lists in the file.
        self.resize = spec['resize'] and Resize(
            **{
                name: tuple(value) if isinstance(value, list) else value
                for name, value in spec['resize'].items()
            })

    @staticmethod
    def describe(model: nn.Module) -> dict:
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
        head = model.decode_head
        classes = list(model.dataset_meta['classes'])
        if len(classes) != model.num_classes:
            raise ValueError(f'the model tells {model.num_classes} classes '
                             f'apart, but its dataset_meta names '
                             f'{len(classes)}')
        return dict(
            classes=classes,
            palette=[list(map(int, c)) for c in model.dataset_meta['palette']],
            preprocessing=_preprocessing(model.data_preprocessor),
            resize=_resize(model.cfg),
            align_corners=head.align_corners,
            threshold=head.threshold if head.out_channels == 1 else None)

    def prepare(self, image: np.ndarray, device: str) -> tuple[Tensor, dict]:
        """Resize, normalise, pad and reduce an image.

        Args:
            image (np.ndarray): BGR ``(H, W, 3)``, uint8.
            device (str): Where to compute.

        Returns:
            tuple[Tensor, dict]: ``(1, 3, h, w)`` and the meta information that
            :meth:`finish` needs.
        """
        ori_shape = image.shape[:2]
        if self.resize is not None:
            image = self.resize(dict(img=image))['img']
        sample = SegDataSample(
            metainfo=dict(ori_shape=ori_shape, img_shape=image.shape[:2]))
        tensor = torch.from_numpy(
            np.ascontiguousarray(image.transpose(2, 0, 1)))
        with torch.no_grad():
            data = self.preprocessor.to(device)(
                dict(inputs=[tensor.to(device)], data_samples=[sample]))
        return data['inputs'], data['data_samples'][0].metainfo

    def finish(self, logits: Tensor, meta: dict) -> Tensor:
        """Labels ``(N, H, W)`` at the size of the image."""
        return labels(
            logits,
            meta.get('pad_shape', meta['img_shape']),
            meta.get('img_padding_size', (0, 0, 0, 0)),
            meta['ori_shape'],
            align_corners=self.spec['align_corners'],
            threshold=self.spec['threshold'])


def _preprocessing(source: nn.Module) -> dict:
    """Arguments of a LowResSegDataPreProcessor that tests as this one."""
    if type(source) not in (SegDataPreProcessor, LowResSegDataPreProcessor):
        raise ValueError('the data preprocessor must be SegDataPreProcessor '
                         'or mmhires.LowResSegDataPreProcessor, got '
                         f'{type(source).__name__}')
    low_res = isinstance(source, LowResSegDataPreProcessor)
    names = ('scale', 'interpolation', 'low_res_input')
    spec = {
        name: getattr(source, name)
        for name in names
    } if low_res else dict(scale=1)
    for name in ('mean', 'std'):
        spec[name] = getattr(source, name).flatten().tolist() \
            if source._enable_normalize else None
    return dict(
        spec,
        bgr_to_rgb=source.channel_conversion,
        pad_val=source.pad_val,
        test_cfg=dict(source.test_cfg) if source.test_cfg else None)


def _resize(cfg: Config) -> dict | None:
    """Arguments of the one Resize in the test pipeline, if there is one."""
    found = None
    for step in cfg.test_pipeline:
        if step['type'] == 'Resize' and found is None:
            found = {
                name: value
                for name, value in step.items() if name != 'type'
            }
        elif step['type'] not in _NEUTRAL:
            raise ValueError(f'test_pipeline has a step {step["type"]}, which '
                             'cannot be exported; one Resize can')
    return found

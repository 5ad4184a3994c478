# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Segmentor that also returns the image rebuilt by DSRL's SISR branch."""

import torch
from mmengine.structures import PixelData
from mmseg.models.segmentors import EncoderDecoder
from mmseg.utils import OptSampleList, SampleList
from torch import Tensor, nn

from mmhires.models.recording import MAPS, record
from mmhires.registry import MODELS
from mmhires.utils.input_channels import swaps_channels


@MODELS.register_module()
class SuperResolvingSegmentor(EncoderDecoder):
    """``EncoderDecoder`` whose predictions include SISR's image.

    Inference of DSRL never runs the SISR branch. To measure what the branch has learned (section
    4.6 of the paper) with :class:`SuperResolutionMetric`, or to look at it, set this type in the
    config of a trained model. Training, labels and checkpoints are those of ``EncoderDecoder``.

    Each predicted sample has ``pred_img`` (:obj:`PixelData`, ``(C, H, W)``, values 0 to 255, the
    size and channel order of the image that the pipeline loaded).

    Args:
        *args: Of ``EncoderDecoder``.
        **kwargs: Of ``EncoderDecoder``; ``decode_head`` is a :class:`DSRLHead` with a
            ``sisr_head``.

    Raises:
        ValueError: The decode head cannot rebuild an image.
    """

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        if getattr(self.decode_head, 'sisr_head', None) is None:
            raise ValueError(
                f'{type(self).__name__}: decode_head {type(self.decode_head).__name__} has no '
                'sisr_head to rebuild an image with; take the config of a mmhires.DSRLHead with '
                'sisr_head'
            )

    def encode_decode(self, inputs: Tensor, batch_img_metas: list[dict]) -> Tensor:
        """Return logits and image of one pass as one map.

        Args:
            inputs: Network input, ``(N, C, h, w)``.
            batch_img_metas: As of ``EncoderDecoder``.

        Returns:
            ``(N, num_classes + C, H, W)``: logits, then the image.
        """
        with record(self) as seen:
            logits = super().encode_decode(inputs, batch_img_metas)
        image = self.decode_head.super_resolve(seen[MAPS], inputs)
        height, width = logits.shape[-2:]
        return torch.cat([logits, image[..., :height, :width]], 1)

    def postprocess_result(
        self, seg_logits: Tensor, data_samples: OptSampleList = None
    ) -> SampleList:
        """Return labels and images at the size of the loaded ones.

        Args:
            seg_logits: As :meth:`encode_decode` returns it.
            data_samples: With the meta information that the data preprocessor leaves.

        Returns:
            list[:obj:`SegDataSample`]: As of ``EncoderDecoder``, with ``pred_img``.
        """
        logits = seg_logits[:, : self.out_channels]
        images = seg_logits[:, self.out_channels :].float()
        samples = super().postprocess_result(logits, data_samples)
        images = denormalize(self.data_preprocessor, images)
        for image, sample in zip(images, samples):
            # Without data samples there is no padding to take away.
            height, width = sample.get('img_shape', image.shape[1:])[:2]
            sample.pred_img = PixelData(data=image[:, :height, :width])
        return samples


def denormalize(preprocessor: nn.Module, images: Tensor) -> Tensor:
    """Undo a data preprocessor's normalisation.

    Args:
        preprocessor: The data preprocessor.
        images: Normalised, ``(N, C, H, W)``.

    Returns:
        Values 0 to 255 in the channel order of the loaded images.
    """
    if hasattr(preprocessor, 'mean'):
        images = images * preprocessor.std + preprocessor.mean
    # The order of other images than those of three channels is never changed.
    if swaps_channels(preprocessor) and images.shape[1] == 3:
        images = images.flip(1)
    return images.clamp(0, 255)

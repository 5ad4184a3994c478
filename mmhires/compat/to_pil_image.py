# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Imports ``mmpose.visualization`` where torchvision is absent or broken.

One class of torchvision, ``ToPILImage``, is all that MMPose takes from it.
"""
import importlib
from importlib.util import find_spec

from PIL import Image

from ._torchvision_stand_in import torchvision_stand_in, why_absent


class ToPILImage:
    """Converts a tensor to a picture, as torchvision's class of this name."""

    def __call__(self, pic):
        """Convert one tensor.

        Args:
            pic (Tensor): ``(H, W)``, ``(1, H, W)`` or ``(3, H, W)``, uint8,
                or floating point in [0, 1].

        Returns:
            PIL.Image.Image: A picture of mode ``'L'`` or ``'RGB'``.
        """
        if pic.is_floating_point():
            pic = pic.mul(255).byte()
        if pic.ndim == 3:
            pic = pic[0] if len(pic) == 1 else pic.permute(1, 2, 0)
        return Image.fromarray(pic.cpu().numpy())


def install() -> tuple[bool, str]:
    """Import ``mmpose.visualization`` with a stand-in for torchvision.

    Returns:
        tuple[bool, str]: Whether anything was changed, and why.
    """
    if find_spec('mmpose') is None:
        return False, 'mmpose is not installed'
    why = why_absent()
    if not why:
        return False, 'torchvision loads'
    with torchvision_stand_in(ToPILImage=ToPILImage):
        importlib.import_module('mmpose.visualization')
    return True, f'ToPILImage stands in for torchvision: {why}'

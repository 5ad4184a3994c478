# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Imports ``mmpose.visualization`` where torchvision is absent or broken.

One class of torchvision, ``ToPILImage``, is all that MMPose takes from it.
"""
import importlib
import sys
from importlib.machinery import ModuleSpec
from importlib.util import find_spec, module_from_spec

from PIL import Image


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

    The stand-in is taken away again, so that everyone else finds torchvision
    absent, and not a fake of it.

    Returns:
        tuple[bool, str]: Whether anything was changed, and why.
    """
    if find_spec('mmpose') is None:
        return False, 'mmpose is not installed'
    try:
        importlib.import_module('torchvision.transforms')
        return False, 'torchvision loads'
    except Exception as error:
        why = str(error)
    package, transforms = (
        module_from_spec(ModuleSpec(name, None, is_package=True))
        for name in ('torchvision', 'torchvision.transforms'))
    transforms.ToPILImage = ToPILImage
    sys.modules.update({
        'torchvision': package,
        'torchvision.transforms': transforms
    })
    try:
        importlib.import_module('mmpose.visualization')
    finally:
        del sys.modules['torchvision'], sys.modules['torchvision.transforms']
    return True, f'ToPILImage stands in for torchvision: {why}'

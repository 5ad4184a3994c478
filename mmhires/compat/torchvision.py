# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Lets MMEngine, MMPretrain and MMPose do without torchvision.

``pip install torchvision`` cures all of it beside a torch of the same index,
and then nothing here is done. Beside torch's CPU build it cannot: it installs
the build for CUDA, whose import raises "operator torchvision::nms does not
exist". MMEngine imports torchvision for the environment that it logs at the
start of every Runner and expects no other failure than a ModuleNotFoundError.
MMPretrain (which MMDetection and so MMSegmentation import) and the
visualization of MMPose name it where they define some classes; neither needs
one of them for our configs.
"""
import contextlib
import importlib
import sys
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from types import ModuleType

from ._import_hook import intercept

NAMES = ('torchvision', 'torchvision.ops', 'torchvision.ops.boxes',
         'torchvision.transforms', 'torchvision.transforms.functional',
         'torchvision.transforms.transforms')


class ToPILImage:
    """Converts a tensor to a picture, as torchvision's class of this name.

    It is all that MMPose takes from torchvision.
    """

    def __call__(self, pic):
        """Convert one tensor.

        Args:
            pic (Tensor): ``(H, W)``, ``(1, H, W)`` or ``(3, H, W)``, uint8,
                or floating point in [0, 1].

        Returns:
            PIL.Image.Image: A picture of mode ``'L'`` or ``'RGB'``.
        """
        from PIL import Image
        if pic.is_floating_point():
            pic = pic.mul(255).byte()
        if pic.ndim == 3:
            pic = pic[0] if len(pic) == 1 else pic.permute(1, 2, 0)
        return Image.fromarray(pic.cpu().numpy())


def _missing(name: str) -> type:
    """Class that can be imported and inherited from, but not called."""
    if name.startswith('__'):
        raise AttributeError(name)

    def __init__(self, *args, **kwargs):  # noqa: N807
        raise ModuleNotFoundError(
            f'{name} needs torchvision, of the release for your torch: '
            'pip install torchvision')

    return type(name, (), dict(__init__=__init__))


@contextlib.contextmanager
def torchvision_stand_in(*transforms: type):
    """Answer imports of torchvision, and be gone afterwards.

    Everyone else then finds torchvision absent, and not a fake of it.

    Args:
        *transforms (type): Classes of ``torchvision.transforms``; any other
            name stands for a class that raises when it is called.

    Yields:
        None
    """
    modules: dict[str, ModuleType] = {}
    for name in NAMES:
        modules[name] = ModuleType(name)
        # No __file__, which module_from_spec() sets: `inspect` would look.
        vars(modules[name]).update(
            __path__=[],
            __spec__=ModuleSpec(name, None, is_package=True),
            __getattr__=_missing)
        parent, _, child = name.rpartition('.')
        if parent:
            setattr(modules[parent], child, modules[name])
    vars(modules['torchvision.transforms']).update(
        {transform.__name__: transform
         for transform in transforms})
    before = {name: sys.modules[name] for name in NAMES if name in sys.modules}
    sys.modules.update(modules)
    try:
        yield
    finally:
        for name in NAMES:
            del sys.modules[name]
        sys.modules.update(before)


def _load_or_be_absent(module: ModuleType, execute) -> None:
    """Import torchvision; one that does not load counts as absent."""
    try:
        execute(module)
    except ImportError:
        raise
    except Exception as error:
        for name in list(sys.modules):
            if name.startswith('torchvision.'):
                del sys.modules[name]
        raise ModuleNotFoundError(
            'torchvision is installed but does not load, most likely because '
            f'it was built for another torch: {error}',
            name='torchvision') from error


# What is imported with a stand-in: which transforms it has to have, and parts
# that would name torchvision later.
HOSTS = {
    'mmpretrain': ((), ('mmpretrain.datasets', 'mmpretrain.engine',
                        'mmpretrain.evaluation', 'mmpretrain.models')),
    'mmpose.visualization': ((ToPILImage, ), ()),
}


def _loads() -> bool:
    with contextlib.suppress(Exception):
        module = importlib.import_module('torchvision.transforms')
        return module.__spec__.origin is not None  # not a stand-in
    return False


def _import_host(module: ModuleType, execute) -> None:
    if _loads():
        execute(module)
        return
    transforms, parts = HOSTS[module.__name__]
    with torchvision_stand_in(*transforms):
        execute(module)
        for part in parts:
            importlib.import_module(part)


def install() -> tuple[bool, str]:
    """Guard the imports of torchvision and of what names it, without any.

    Returns:
        tuple[bool, str]: Whether anything was changed, and why.
    """
    if sys.modules.get('torchvision'):
        return False, 'torchvision is loaded'
    if find_spec('torchvision') is not None:
        intercept('torchvision', _load_or_be_absent)
    for host in HOSTS:
        if host not in sys.modules:
            intercept(host, _import_host)
    return True, 'if torchvision does not load, it counts as not installed'

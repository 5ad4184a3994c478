# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Pre- and post-processing of a network, as plain data."""

import importlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

# An exported file runs without PyTorch, which takes seconds to import.
if TYPE_CHECKING:
    from torch import Tensor, nn

# NumPy's on a CPU, PyTorch's on a GPU and for programs of torch.export.
Array: TypeAlias = 'np.ndarray | Tensor'

COLOR_TYPES = ('color', 'color_ignore_orientation')
# Where steps and picture files are found, not what they are.
_PLACES = ('_scope_', 'backend_args', 'file_client_args', 'ignore_empty')
# What loading a picture is like if a config does not say.
_LOADING = dict(color_type='color', imdecode_backend='cv2', to_float32=False)
_PROCESSORS = dict(segmentation='SegmentationProcessor', pose='PoseProcessor')


class Processor:
    """Base class of the steps before and after a network.

    Args:
        spec: What :meth:`describe` returned.

    Attributes:
        neutral (tuple[str]): Steps of a test pipeline that do nothing to an image. Each task says
            its own, as of the next two.
        steps (tuple[str]): Those that are part of an exported file.
    """

    def __init__(self, spec: dict) -> None:
        self.spec = spec

    @classmethod
    def read_pipeline(cls, pipeline: Sequence[dict]) -> dict[str, dict]:
        """Return how a test pipeline resizes a picture.

        Args:
            pipeline: Of a config.

        Returns:
            Arguments by the type of the step; of the first one, under ``'loading'``, those of
            :func:`mmcv.imread`.

        Raises:
            ValueError: A step or an option of loading that an exported file cannot have.
        """
        found = {}
        for step in pipeline:
            step = {k: v for k, v in step.items() if k not in _PLACES}
            kind = step.pop('type')
            if kind in found or kind not in cls.neutral + cls.steps:
                raise ValueError(
                    f'test_pipeline has a step {kind}, which cannot be exported; one each of '
                    f'{" and ".join(cls.steps)} can'
                )
            found[kind] = step
        loaders = [kind for kind in found if 'Load' in kind][:1]
        if not loaders or loaders[0] == 'LoadAnnotations':
            raise ValueError(
                'test_pipeline does not begin with loading an '
                "image: put dict(type='LoadImageFromFile') first"
            )
        (name,) = loaders
        loading = _LOADING | found[name]
        if others := list(loading)[len(_LOADING) :]:
            raise ValueError(
                f'test_pipeline has {name} with {others[0]}, which cannot be exported: take it out'
            )
        color = loading['color_type']
        if color not in COLOR_TYPES:
            raise ValueError(
                f'test_pipeline has {name} with color_type={color!r}, but exported networks take '
                f'pictures of three channels: set it to {" or ".join(map(repr, COLOR_TYPES))}'
            )
        found['loading'] = dict(
            flag=color, backend=loading['imdecode_backend'], to_float32=loading['to_float32']
        )
        return found

    @classmethod
    def read_preprocessor(cls, source: 'nn.Module', *names: str) -> dict:
        """Return our data preprocessor's arguments that test like this one.

        Args:
            source: One of upstream's or ours.
            *names: Attributes to take beside mean, std, reduction and order of channels.

        Returns:
            Numbers, strings and lists.

        Raises:
            ValueError: It is of another type.
        """
        kinds = cls.preprocessors()
        if type(source) not in kinds:
            allowed = ' or '.join(kind.__name__ for kind in kinds)
            raise ValueError(
                f'the data preprocessor must be {allowed}, got {type(source).__name__}'
            )
        spec = dict(scale=1, mean=None, std=None)
        for name in ('scale', 'interpolation', 'low_res_input', *names):
            if hasattr(source, name):
                spec[name] = getattr(source, name)
        if source._enable_normalize:
            spec.update(mean=source.mean.flatten().tolist(), std=source.std.flatten().tolist())
        from mmhires.utils.input_channels import swaps_channels

        return dict(spec, bgr_to_rgb=swaps_channels(source))


def is_floating(array: Array) -> bool:
    """Return whether an array or a tensor is of floats."""
    if isinstance(array, np.ndarray):
        return array.dtype.kind == 'f'
    return array.is_floating_point()


def to_array(array: Array) -> np.ndarray:
    """Convert an array or a tensor on any device to an array."""
    return array if isinstance(array, np.ndarray) else array.cpu().numpy()


def processor_class(name: str) -> type[Processor]:
    """Return the task of a name, ``'segmentation'`` or ``'pose'``."""
    module = importlib.import_module(f'.{name}', __package__)
    return getattr(module, _PROCESSORS[name])

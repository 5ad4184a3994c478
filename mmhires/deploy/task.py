# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Pre- and post-processing of a network, as plain data."""
from collections.abc import Sequence

from torch import nn

COLOR_TYPES = ('color', 'color_ignore_orientation')
# Where picture files are, not what is in them.
_PLACES = ('backend_args', 'file_client_args', 'ignore_empty')


class Task:
    """Base of what is done before and after a network.

    Args:
        spec (dict): What :meth:`describe` returned.

    Attributes:
        neutral (tuple[str]): Steps of a test pipeline that do nothing to an
            image.
        steps (tuple[str]): Those that are part of an exported file.
        preprocessors (tuple[type]): Data preprocessors that are.
    """
    neutral: tuple[str, ...] = ()
    steps: tuple[str, ...] = ()
    preprocessors: tuple[type, ...] = ()

    def __init__(self, spec: dict) -> None:
        self.spec = spec

    @classmethod
    def read_pipeline(cls, pipeline: Sequence[dict]) -> dict[str, dict]:
        """What a test pipeline does to a picture file.

        Args:
            pipeline (Sequence[dict]): Of a config.

        Returns:
            dict[str, dict]: Arguments by the type of the step; of the first
            one, under ``'loading'``, those of :func:`mmcv.imread`.

        Raises:
            ValueError: A step or an option of loading that an exported file
                cannot have.
        """
        found = {}
        for step in pipeline:
            step = dict(step)
            step.pop('_scope_', None)  # of steps from mmseg::..., in a _base_
            kind = step.pop('type')
            if kind in found or kind not in cls.neutral + cls.steps:
                raise ValueError(f'test_pipeline has a step {kind}, which '
                                 f'cannot be exported; one each of '
                                 f'{" and ".join(cls.steps)} can')
            found[kind] = step
        name = next(kind for kind in found if 'LoadImage' in kind)
        step = {
            key: value
            for key, value in found[name].items() if key not in _PLACES
        }
        found['loading'] = dict(
            flag=step.pop('color_type', 'color'),
            backend=step.pop('imdecode_backend', 'cv2'),
            to_float32=step.pop('to_float32', False))
        if step:
            raise ValueError(
                f'test_pipeline has {name} with {next(iter(step))}'
                ', which cannot be exported: take it out')
        if found['loading']['flag'] not in COLOR_TYPES:
            raise ValueError(
                f'test_pipeline has {name} with color_type='
                f'{found["loading"]["flag"]!r}, but exported networks take '
                'pictures of three channels: set it to '
                f'{" or ".join(map(repr, COLOR_TYPES))}')
        return found

    @classmethod
    def read_preprocessor(cls, source: nn.Module, *names: str) -> dict:
        """Arguments of a data preprocessor of ours that tests as this one.

        Args:
            source (nn.Module): One of upstream's or ours.
            *names (str): Attributes to take beside mean, std and reduction.

        Returns:
            dict: Numbers, strings and lists.

        Raises:
            ValueError: It is of another type.
        """
        if type(source) not in cls.preprocessors:
            allowed = ' or '.join(kind.__name__ for kind in cls.preprocessors)
            raise ValueError(f'the data preprocessor must be {allowed}, got '
                             f'{type(source).__name__}')
        spec = dict(scale=1)
        for name in ('scale', 'interpolation', 'low_res_input', *names):
            if hasattr(source, name):
                spec[name] = getattr(source, name)
        for name in ('mean', 'std'):
            spec[name] = getattr(source, name).flatten().tolist() \
                if source._enable_normalize else None
        return spec

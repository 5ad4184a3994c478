# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""What there is to know about the config that a method is brought to."""
import copy
import os.path as osp
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from torch import Tensor

from mmhires.check import probe
from mmhires.check.check import import_scope
from mmhires.check.sizes import training_size
from mmhires.utils.errors import first_line


class AdaptError(ValueError):
    """Why a method cannot go to a config, in one line."""


@contextmanager
def refusing(why: str = '') -> Iterator[None]:
    """Raise the errors of the block as an :class:`AdaptError`.

    Args:
        why (str): Words before those of the error.
    """
    try:
        yield
    except Exception as error:
        raise AdaptError(f'{why}{first_line(error)}') from error


class Upstream:
    """A config, and its model's feature maps for an image of reduced size.

    Args:
        name (str): File, or ``'mmseg::...'`` and ``'mmpose::...'``.
        out (Path, optional): Where the child will be, which names its base
            relative to that. Default: the working directory.

    Attributes:
        cfg (Config): The config.
        base (str): ``_base_`` of the child.
        size (tuple[int, int]): Height and width of training images.

    Raises:
        AdaptError: It is no config of a model of MMSegmentation or MMPose.
        FileNotFoundError: There is no such file.
    """

    def __init__(self, name: str, out: Path | None = None) -> None:
        self.base, path = name, name
        if '::' not in name:
            if not osp.isfile(name):
                raise FileNotFoundError(f'no file {name}')
            self.base = osp.relpath(name, out.parent if out else '.')
            path = osp.abspath(name)
        with refusing('is no config: '):
            self.cfg = Config.fromstring(f'_base_ = {path!r}', '.py')
        scope = self.cfg.get('default_scope')
        if scope not in ('mmseg', 'mmpose'):
            raise AdaptError('default_scope is neither mmseg nor mmpose but '
                             f'{scope!r}')
        if not self.cfg.get('model'):
            raise AdaptError('has no model')
        init_default_scope(scope)
        import_scope(scope)
        self.size = training_size(self.cfg)

    @property
    def imports(self) -> list[str]:
        """``custom_imports`` of the child."""
        names = (self.cfg.get('custom_imports') or {}).get('imports') or []
        names = [names] if isinstance(names, str) else list(names)
        return [*(name for name in names if name != 'mmhires'), 'mmhires']

    def maps(self, scale: int, **changes) -> tuple[torch.nn.Module, list]:
        """Run backbone and neck on the meta device.

        Args:
            scale (int): Full-size image : network input.
            **changes: Of parts of the model's config.

        Returns:
            tuple[nn.Module, list[Tensor]]: The model and what its head gets.

        Raises:
            AdaptError: It does not run.
        """
        cfg = copy.deepcopy(self.cfg.model)
        cfg.update(changes)  # into what is there
        with refusing('the model does not run at '
                      f'1/{scale} of {self.size}: '):
            model = probe.build(cfg)
            with probe.shapes_only():
                outputs = model.extract_feat(
                    torch.zeros(2, 3,
                                *(-(-side // scale) for side in self.size)))
        if isinstance(outputs, Tensor):
            raise AdaptError(f'the backbone {type(model.backbone).__name__} '
                             'returns one tensor instead of a list of maps')
        if not probe.maps_of(outputs):
            raise AdaptError('the backbone returns no maps (N, C, H, W)')
        return model, list(outputs)

    def expect(self, frame: str, why: str) -> None:
        """Refuse a model of another frame.

        Args:
            frame (str): Type of the segmentor or pose estimator.
            why (str): What the method has to do with that frame.

        Raises:
            AdaptError: It is another one.
        """
        if self.cfg.model.type != frame:
            raise AdaptError(f'{self.cfg.model.type} is no {frame}: {why}')


def number(values: list) -> str:
    """One value as itself, several as a list."""
    return repr(values[0] if len(values) == 1 else values)

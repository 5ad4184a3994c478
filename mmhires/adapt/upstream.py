# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""What there is to know about the config that a method is brought to."""
import copy
import os.path as osp
from importlib.util import find_spec
from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from torch import Tensor

from mmhires.check import probe
from mmhires.check.check import import_scope
from mmhires.check.sizes import training_size
from mmhires.utils.errors import first_line


class Refused(ValueError):
    """Why a method cannot go to a config, in one line."""


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
        Refused: It is no config of a model of MMSegmentation or MMPose.
        FileNotFoundError: There is no such file.
    """

    def __init__(self, name: str, out: Path | None = None) -> None:
        path = self._path(name)
        self.base = self._base(path, out)
        try:
            self.cfg = Config.fromfile(path)
        except FileNotFoundError:
            raise
        except Exception as error:
            raise Refused(f'is no config: {first_line(error)}') from error
        scope = self.cfg.get('default_scope')
        if scope not in ('mmseg', 'mmpose'):
            raise Refused('default_scope is neither mmseg nor mmpose but '
                          f'{scope!r}')
        if not self.cfg.get('model'):
            raise Refused('has no model')
        init_default_scope(scope)
        import_scope(scope)
        self.size = training_size(self.cfg)

    @staticmethod
    def _path(name: str) -> Path:
        package, found, file = name.partition('::')
        spec = find_spec(package) if found else None
        if found and spec is None:
            raise Refused(f'there is no package {package}')
        path = Path(spec.origin).parent / '.mim/configs' / file if found \
            else Path(name)
        if not path.is_file():
            raise FileNotFoundError(f'no file {path}')
        return path

    @staticmethod
    def _base(path: Path, out: Path | None) -> str:
        for package in ('mmseg', 'mmpose'):
            spec = find_spec(package)
            root = spec and Path(spec.origin).parent / '.mim/configs'
            if root and path.resolve().is_relative_to(root.resolve()):
                file = path.resolve().relative_to(root.resolve())
                return f'{package}::{file.as_posix()}'
        return osp.relpath(path, out.parent if out else '.')

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
            Refused: It does not run.
        """
        cfg = copy.deepcopy(self.cfg.model)
        cfg.update(changes)  # into what is there
        try:
            model = probe.build(cfg)
            with probe.shapes_only():
                outputs = model.extract_feat(
                    torch.zeros(2, 3, *(-(-side // scale)
                                        for side in self.size)))
        except Exception as error:
            raise Refused('the model does not run at '
                          f'1/{scale} of {self.size}: {first_line(error)}'
                          ) from error
        if isinstance(outputs, Tensor):
            raise Refused(f'the backbone {type(model.backbone).__name__} '
                          'returns one tensor instead of a list of maps')
        return model, list(outputs)


def number(values: list) -> str:
    """One value as itself, several as a list."""
    return repr(values[0] if len(values) == 1 else values)

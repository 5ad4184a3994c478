# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""The three methods as changes of an upstream config."""
import tempfile
from importlib import import_module
from pathlib import Path

from mmhires.utils.quiet import silence

# Modules with a function changes(). They import PyTorch when one is used.
METHODS = ('dsrl', 'hrfr', 'jpu')


def adapt(method: str,
          config: str,
          out: Path | None = None,
          scale: int = 2,
          teacher_ckpt: str | None = None) -> str:
    """Write a child of a config that has a method of this package.

    Widths, indices and strides are those of the config's model, which is run
    for them. The child is given only if its model trains a step and predicts.

    Args:
        method (str): ``'dsrl'``, ``'hrfr'`` or ``'jpu'``.
        config (str): File, or a name such as ``'mmseg::pspnet/....py'``.
        out (Path, optional): Where the child will be; its ``_base_`` is
            relative to that. Default: the working directory.
        scale (int): Full-size image : network input. Default: 2.
        teacher_ckpt (str, optional): Weights of the config's model, which is
            the teacher of HRFR or, where they are given, of DSRL.

    Returns:
        str: The child config.

    Raises:
        AdaptError: The method cannot go there; the message says why.
        FileNotFoundError: There is no such config, or no folder of ``out``.
    """
    from .hooks import hook_lines
    from .upstream import AdaptError, Upstream
    if scale < 2:
        raise AdaptError(f'scale={scale} reduces nothing: give 2 or more')
    if out and not out.parent.is_dir():
        raise FileNotFoundError(f'no folder {out.parent} to write {out} to')
    changes = import_module(f'.{method}', __package__).changes
    with silence():
        upstream = Upstream(config, out)
        text = (f'_base_ = {upstream.base!r}\n'
                f'custom_imports = dict(imports={upstream.imports!r}, '
                'allow_failed_imports=False)\n'
                f'{changes(upstream, scale, teacher_ckpt)}'
                f'{hook_lines(upstream.cfg)}')
        _try(text, out)
    return text


def _try(text: str, out: Path | None) -> None:
    """Train a step of the child and predict, with shapes or small images."""
    from mmhires.check import check_config

    from .upstream import AdaptError
    folder = out.parent if out else '.'
    with tempfile.NamedTemporaryFile('w', suffix='.py', dir=folder) as file:
        file.write(text)
        file.flush()
        found = check_config(file.name, samples=1)
    for one in found:
        if one.key.startswith('model') and one.kind != 'missing' \
                and not one.warning:
            raise AdaptError(f'{one.key}: {one.seen}')

# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""The three methods as changes of an upstream config."""
import tempfile
import warnings
from importlib import import_module
from pathlib import Path

from mmhires.utils.quiet import silence

# Modules with a function changes(), which yields the lines of the child in one
# form or several: the first that trains is given. They import PyTorch.
METHODS = ('dsrl', 'hrfr', 'jpu')


def adapt(method: str,
          config: str,
          out: Path | None = None,
          scale: int = 2,
          teacher_ckpt: str | None = None,
          steps: int = 10) -> str:
    """Write a child of a config that has a method of this package.

    Widths, indices and strides are those of the config's model, which is run
    for them. The child is given only if its model predicts, and trains some
    steps in which the losses are finite and fall.

    Args:
        method (str): ``'dsrl'``, ``'hrfr'`` or ``'jpu'``.
        config (str): File, or a name such as ``'mmseg::pspnet/....py'``.
        out (Path, optional): Where the child will be; its ``_base_`` is
            relative to that. Default: the working directory.
        scale (int): Full-size image : network input. Default: 2.
        teacher_ckpt (str, optional): Weights of the config's model, which is
            the teacher of HRFR or, where they are given, of DSRL.
        steps (int): Training steps of the trial, which take seconds or, of a
            large network, a minute. 0 leaves it at shapes alone. Default: 10.

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
        start = (f'_base_ = {upstream.base!r}\n'
                 f'custom_imports = dict(imports={upstream.imports!r}, '
                 'allow_failed_imports=False)\n')
        first_error = None
        for part in changes(upstream, scale, teacher_ckpt):
            text = f'{start}{part}{hook_lines(upstream.cfg)}'
            try:
                advice = _try(text, out, steps)
                break
            except AdaptError as error:
                first_error = first_error or error
        else:
            raise first_error
    for line in advice:
        warnings.warn(line, stacklevel=2)
    return text


def _try(text: str, out: Path | None, steps: int) -> list[str]:
    """Train and predict; return what is to be said of the teacher."""
    from mmhires.check import check_config

    from .trial import check_training
    from .upstream import AdaptError
    folder, advice = out.parent if out else '.', []
    with tempfile.NamedTemporaryFile('w', suffix='.py', dir=folder) as file:
        file.write(text)
        file.flush()
        for finding in check_config(file.name, samples=1):
            if finding.key == 'model.teacher_ckpt' and finding.warning:
                advice.append(f'{finding.key}: {finding.seen}; {finding.do}')
            elif (finding.key.startswith(('model', 'file'))
                  and finding.kind != 'missing' and not finding.warning):
                do = f'; {finding.do}' if finding.do else ''
                raise AdaptError(f'{finding.key}: {finding.seen}{do}')
        if steps:
            check_training(file.name, steps)
    return advice

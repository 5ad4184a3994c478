# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Methods as changes of an upstream config."""

import tempfile
import warnings
from importlib import import_module
from pathlib import Path

from mmhires.utils.quiet import silence

# Modules with a function changes(), which yields settings of the child in one
# form or several: the first that trains is given. They import PyTorch.
METHODS = ('dsrl', 'hrfr', 'jpu', 'plain')


def adapt(
    method: str,
    config: str,
    out: Path | None = None,
    scale: float = 2,
    teacher_ckpt: str | None = None,
    steps: int = 10,
    schedule: str = 'fine-tune',
    iters: int | None = None,
    unlabelled: str | None = None,
) -> str:
    """Write a child config that brings a method to an upstream config.

    Widths, indices and strides are those of the config's model, which is run for them. The child is
    given only if its model predicts, and trains some steps in which the losses are finite and fall.

    Args:
        method: One of ``METHODS``; ``'plain'`` reduces the images of the network as it is.
        config: File, or a name such as ``'mmseg::pspnet/....py'``.
        out: Where the child will be; its ``_base_`` is relative to that. Default: the working
            directory.
        scale: Full-size image : network input. One that is not whole is made a multiple of 1 /
            stride of a segmentor. Default: 2.
        teacher_ckpt: Weights of the config's model, which is the teacher of HRFR or, where they are
            given, of DSRL or of the plain network.
        steps: Training steps of the trial, which take seconds or, of a large network, a minute. 0
            leaves it at shapes alone. Default: 10.
        schedule: ``'fine-tune'``, where ``teacher_ckpt`` is given, or that of the ``'base'``.
            Default: ``'fine-tune'``.
        iters: Length of the fine-tuning, in iterations, or epochs where the config counts these.
            Default: None, half of the config's.
        unlabelled: Folder of pictures without labels that the teacher teaches as well, as many in a
            batch as labelled images. Default: None.

    Returns:
        The child config.

    Raises:
        AdaptError: The method cannot go there; the message says why.
        OSError: There is no such config, no folder of ``out``, or no picture in ``unlabelled``.
    """
    from .hooks import child_hooks
    from .host_config import AdaptError, Upstream
    from .schedule import fine_tuning
    from .unlabelled import partly_labelled
    from .writing import merge_settings, write_settings

    if out and not out.parent.is_dir():
        raise FileNotFoundError(f'no folder {out.parent} to write {out} to')
    changes = import_module(f'.{method}', __package__).changes
    with silence():
        upstream = Upstream(config, out)
        reduces = method != 'jpu'
        teacher_ckpt = teacher_ckpt if reduces else None
        if reduces:
            scale = upstream.fitting_scale(scale)
        imports = dict(imports=upstream.imports, allow_failed_imports=False)
        start = dict(_base_=upstream.base, custom_imports=imports)
        if unlabelled is not None:
            start |= partly_labelled(upstream, teacher_ckpt, unlabelled)
        first_error = None
        for part in changes(upstream, scale, teacher_ckpt):
            tuned = teacher_ckpt and schedule != 'base'
            tuning = fine_tuning(upstream.cfg, method, iters) if tuned else {}
            hooks = child_hooks(upstream.cfg, tuning.pop('default_hooks', None))
            settings = merge_settings(start, part, tuning, dict(default_hooks=hooks))
            text = write_settings({name: value for name, value in settings.items() if value})
            try:
                advice = _try(text, out, steps)
                break
            except AdaptError as error:
                first_error = first_error or error
        else:
            raise first_error
    if reduces and upstream.rounds(scale):
        sizes = (upstream.size, upstream.padded(scale), upstream.reduced(scale))
        advice.append(
            'images of {}x{} are padded to {}x{} and get to the network as {}x{}'.format(
                *sizes[0], *sizes[1], *sizes[2]
            )
            + f', reduced by {scale}'
        )
    for line in advice:
        warnings.warn(line, stacklevel=2)
    return text


def _try(text: str, out: Path | None, steps: int) -> list[str]:
    """Train and predict; return what to report about the teacher."""
    from mmhires.check import check_config
    from mmhires.check.rules import MODEL_RULES

    from .host_config import AdaptError
    from .trial import check_training

    # The data and the run are the base's.
    rules = (*MODEL_RULES, 'checkpoints', 'teachers')
    folder, advice = out.parent if out else '.', []
    with tempfile.NamedTemporaryFile('w', suffix='.py', dir=folder) as file:
        file.write(text)
        file.flush()
        for finding in check_config(file.name, samples=1, rules=rules):
            remedy = finding.remedy and f'; {finding.remedy}'
            text = f'{finding.key}: {finding.message}{remedy}'
            refusable = finding.severity != 'warning' and finding.kind != 'missing'
            if refusable and finding.key.startswith(('model', 'file')):
                raise AdaptError(text)
            if finding.key == 'model.teacher_ckpt':
                advice.append(text)
        if steps:
            check_training(file.name, steps)
    return advice

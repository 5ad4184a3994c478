# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""All checks of a config, in one go."""
import importlib.util

from mmengine.config import Config
from mmengine.registry import DefaultScope, init_default_scope
from mmengine.utils import import_modules_from_strings

from mmhires.utils.quiet import silence

from . import checkpoints, classes, data, model, runtime, sizes
from .problem import Problem, named

SCOPES = ('mmseg', 'mmpose', 'mmpretrain')
MODULES = ('models', 'datasets', 'engine', 'evaluation', 'visualization')


def import_scope(scope: str) -> None:
    """Import all that registers itself, for configs without mmhires too.

    Args:
        scope (str): Of :data:`SCOPES`.
    """
    import_modules_from_strings([f'{scope}.{name}' for name in MODULES])


def check_config(path: str,
                 options: dict | None = None,
                 samples: int = 8) -> list[Problem]:
    """Find what would fail.

    Files are looked for, labels sampled, numbers of classes, sizes and widths
    compared; the model trains a step and predicts, with shapes alone where
    that is enough, otherwise with small random images on the CPU; all else
    that a runner builds is built or compared with what it takes. Nothing is
    written or downloaded.

    Args:
        path (str): Config of MMSegmentation, MMPose or MMPretrain.
        options (dict, optional): Overrides, as ``--cfg-options``.
        samples (int): Labels of each data set to look into. Default: 8.

    Returns:
        list[Problem]: Problems and warnings.
    """
    with silence():
        try:
            cfg = Config.fromfile(path, import_custom_modules=False)
            cfg.merge_from_dict(options or {})
        except Exception as error:
            return [Problem('config', 'file', named(error))]
        scope = cfg.get('default_scope')
        if scope not in SCOPES or importlib.util.find_spec(scope) is None:
            return [
                Problem(
                    'config', 'default_scope', f'{scope!r}',
                    f'set it to one of {", ".join(SCOPES)}, and install '
                    'that')
            ]
        if cfg.get('model') is None:
            return [Problem('config', 'model', 'there is none', 'give one')]
        before = DefaultScope.get_current_instance()
        init_default_scope(scope)
        try:
            return _check(cfg, samples)
        finally:
            if before is not None:
                init_default_scope(before.scope_name)


def _check(cfg: Config, samples: int) -> list[Problem]:
    import_scope(cfg.default_scope)
    problems = runtime.check_imports(cfg)
    found, metas = data.check_data(cfg, samples)
    problems += found
    problems += data.check_transforms('tta_pipeline',
                                      cfg.get('tta_pipeline') or [])
    problems += classes.check_classes(cfg, metas)
    problems += sizes.check_sizes(cfg)
    net, found = model.build(cfg)
    problems += found
    meta = next(iter(metas.values()), {})
    if net is not None:
        problems += model.run(cfg, net, meta) or model.unread_maps(net)
    problems += runtime.check_runtime(cfg, net, meta)
    return problems + checkpoints.check_checkpoints(cfg, net)

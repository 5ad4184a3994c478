# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""All checks of a config, in one go."""
import importlib.util

from mmengine.config import Config
from mmengine.registry import DefaultScope, init_default_scope
from mmengine.utils import import_modules_from_strings

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
    compared, the model is run on a small random batch on the CPU, evaluators
    and the optimizer are built. Nothing is written or downloaded.

    Args:
        path (str): Config of MMSegmentation, MMPose or MMPretrain.
        options (dict, optional): Overrides, as ``--cfg-options``.
        samples (int): Labels of each data set to look into. Default: 8.

    Returns:
        list[Problem]: Problems and warnings.
    """
    try:
        cfg = Config.fromfile(path, import_custom_modules=False)
        cfg.merge_from_dict(options or {})
    except Exception as error:
        return [
            Problem('import', 'config', named(error),
                    'correct the file, its _base_ or the options')
        ]
    problems = runtime.check_imports(cfg)
    scope = cfg.get('default_scope')
    if scope not in SCOPES or importlib.util.find_spec(scope) is None:
        return [
            *problems,
            Problem('import', 'default_scope', f'{scope!r}',
                    f'set it to one of {", ".join(SCOPES)}, and install that')
        ]
    if cfg.get('model') is None:
        return [
            *problems,
            Problem('build', 'model', 'there is none', 'give one')
        ]
    before = DefaultScope.get_current_instance()
    init_default_scope(scope)
    import_scope(scope)
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
        problems += model.run(cfg, net, meta)
    problems += runtime.check_runtime(cfg, net, meta)
    problems += checkpoints.check_checkpoints(cfg, net)
    if before is not None:
        init_default_scope(before.scope_name)
    return problems

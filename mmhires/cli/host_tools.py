# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Training and testing scripts of the package that a config belongs to."""

import argparse
import ast
import importlib.util
import re
import runpy
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from mmengine.config import Config, DictAction

from mmhires.tasks import TASKS

# An argument that is not an option, such as ``a=b.py``.
CONFIG = re.compile(r'[^=]+\.(py|json|yml|yaml)')


def host_main(tool: str, argv: Sequence[str]) -> Callable[[], None]:
    """Return the ``main`` function of the host's script.

    ``default_scope`` of the config among the arguments says whose. Having that script run, instead
    of a copy of it, keeps every option and behaviour what the host's users know. It is imported
    rather than run as ``__main__``, so that data loading processes which are spawned (not forked)
    start from our script, which imports mmhires first.

    Args:
        tool: File name of the script, ``'train.py'`` or ``'test.py'``.
        argv: Arguments that the script will be run with. With no config among them (``--help``)
            MMSegmentation answers.

    Returns:
        The script's ``main()``; it reads ``sys.argv``.

    Raises:
        FileNotFoundError: The config, or the host's script, does not exist.
        ModuleNotFoundError: The host is not installed.
        ValueError: The config belongs to no host.
    """
    configs = [arg for arg in argv if CONFIG.fullmatch(arg)]
    config, scope = next(iter(configs), None), 'mmseg'
    if config:
        cfg = Config.fromfile(config, import_custom_modules=False)
        scope = cfg.get('default_scope', scope)
    if scope not in TASKS:
        raise ValueError(
            f'{config}: default_scope must be one of {", ".join(TASKS)}, got {scope!r}'
        )
    package = importlib.util.find_spec(scope)
    if package is None:
        raise ModuleNotFoundError(
            f'{config or tool} needs {scope}, which is not installed: '
            f'pip install {TASKS[scope].install}'
        )

    folder = Path(package.origin).parent
    # a wheel carries the tools in .mim, an editable install beside the package
    scripts = [folder / '.mim/tools' / tool, folder.parent / 'tools' / tool]
    script = next((path for path in scripts if path.is_file()), None)
    if script is None:
        raise FileNotFoundError(f'{scope} was installed without its tools: no {scripts[0]}')
    if {'-h', '--help'} & set(argv):
        return partial(_print_help, script)
    return runpy.run_path(str(script), None, f'{scope}_{script.stem}')['main']


def _print_help(script: Path) -> None:
    """Run a script's ``parse_args()`` without its other imports.

    The whole script would import PyTorch and the host first, for seconds.
    """
    tree = ast.parse(script.read_text(encoding='utf-8'))
    tree.body = [node for node in tree.body if getattr(node, 'name', '') == 'parse_args']
    names = dict(argparse=argparse, DictAction=DictAction)
    exec(compile(tree, str(script), 'exec'), names)
    names['parse_args']()

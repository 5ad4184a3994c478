# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""The command ``mmhires``: one module of this package for each subcommand.

A module is found by the name in :data:`COMMANDS`, imported when it is called,
and has ``add_arguments(parser)`` and ``run(args)``, which returns nothing, an
exit code, or what was wrong with some of its inputs, a line each. Its
docstring is what its ``--help`` says. What takes seconds to import is imported
in ``run``.
"""

import argparse
import difflib
import importlib
import os
import sys
from collections.abc import Sequence

from mmhires.utils.errors import first_line
from mmhires.version import __version__

# What each does, in the order of --help. Two words are a group and a member.
COMMANDS = {
    'adapt': 'write a low-resolution child of a config',
    'check': 'list what would stop a training, before it starts',
    'export': 'write a trained model to an ONNX or torch.export file',
    'predict': 'run an exported file on pictures or videos',
    'paint': "paint a model's prediction over pictures or videos",
    'flops': 'count multiply-accumulates and parameters',
    'benchmark': 'time models against each other',
    'budget': 'say what smaller images cost in accuracy, at any budget',
    'compare': 'train configs with the same seeds and compare',
    'pareto': 'draw accuracy against cost',
    'features': 'draw features of segmentors beside each other',
    'convert checkpoint': 'rename a published checkpoint to ours, or back',
    'convert student': 'write the student of HRFR as an ordinary model',
    'convert classes': 'map the classifiers to the classes of a data set',
    'convert camvid': 'write CamVid as CamVidDataset reads it',
    'convert masks': 'turn colours of masks into class indices',
    'zoo': 'list and download published weights',
    'demo': 'measure, fine-tune and compare, in minutes on a CPU',
    'env': 'print versions, device and engines',
}
# An interrupted command, as shells have it.
INTERRUPTED = 130


class Help(argparse.RawDescriptionHelpFormatter, argparse.ArgumentDefaultsHelpFormatter):
    """Help formatter that keeps line breaks and shows useful defaults."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        if action.default in (None, False):
            return action.help
        return super()._get_help_string(action)


class Parser(argparse.ArgumentParser):
    """Argument parser whose errors are one line."""

    def error(self, message: str) -> None:
        """Print the error and where help is, and exit with 2."""
        self.exit(2, f'{self.prog}: {message} (see {self.prog} --help)\n')


def main(argv: Sequence[str] | None = None, command: str = '') -> int:
    """Run a subcommand.

    Args:
        argv: Arguments. Default: those of the process.
        command: Subcommand that they are of. Default: the first of the
            arguments, or the first two.

    Returns:
        The exit code: 0, 1 if the command found or met problems, 2 if it
        cannot begin with what it is given.
    """
    argv = [*command.split(), *(sys.argv[1:] if argv is None else argv)]
    for words in (2, 1):
        name = ' '.join(argv[:words])
        if name in COMMANDS:
            return _run(name, argv[words:])
    return _no_command(argv)


def run_script(command: str) -> None:
    """Run a subcommand under the name of another script."""
    code = main(command=command)
    if code:
        sys.exit(code)


def _run(name: str, argv: Sequence[str]) -> int:
    module = importlib.import_module(f'.{name.replace(" ", "_")}', __name__)
    parser = Parser(f'mmhires {name}', description=module.__doc__, formatter_class=Help)
    module.add_arguments(parser)
    args = parser.parse_intermixed_args(argv)
    try:
        result = module.run(args) or 0
    except KeyboardInterrupt as error:
        code, reason = INTERRUPTED, str(error) or 'interrupted'
    except (ImportError, OSError, SyntaxError, ValueError) as error:
        if os.environ.get('MMHIRES_TRACEBACK'):
            raise
        code, reason = 2, first_line(error, 1000)
    else:
        if isinstance(result, int):
            return result
        code, reason = 1, f'\n{parser.prog}: '.join(result)
    sys.stderr.write(f'{parser.prog}: {reason}\n')
    return code


def _no_command(argv: Sequence[str]) -> int:
    """Print an error for a line without a known subcommand."""
    word = argv[0] if argv else '--help'
    names = [name for name in COMMANDS if name.split()[0] == word]
    if word == '--version':
        sys.stdout.write(f'mmhires {__version__}\n')
    elif names and set(argv[1:]) <= {'-h', '--help'}:
        sys.stdout.write(_help(names))
    elif word in ('-h', '--help'):
        sys.stdout.write(_help(COMMANDS))
        if not argv:
            sys.stdout.write('\n')
            return _run('env', [])
    else:
        wrong = ' '.join(argv[:2] if names else argv[:1])
        near = difflib.get_close_matches(wrong, COMMANDS, 1)
        sys.stderr.write(
            f'mmhires: there is no command {wrong!r}'
            f'{"".join(f"; did you mean {name!r}?" for name in near)} '
            '(see mmhires --help)\n'
        )
        return 2
    return 0


def _help(names: Sequence[str]) -> str:
    rows = ''.join(f'  {name:<20}{COMMANDS[name]}\n' for name in names)
    return (
        'usage: mmhires COMMAND ...\n\n'
        'Run your MMSegmentation or MMPose network on half-size images.\n'
        f'\n{rows}\nmmhires COMMAND --help lists the arguments of one.\n'
    )

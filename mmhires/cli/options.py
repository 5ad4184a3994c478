# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Arguments that several subcommands share."""

import argparse
from collections.abc import Callable
from typing import TYPE_CHECKING

# What takes seconds to import is imported where it is used, after --help.
if TYPE_CHECKING:
    from torch import nn

INPUTS = (
    'a picture or a video, a directory of pictures (those of directories within too), a pattern '
    "('streets/*/*.png'), the address of a stream (rtsp://..., http://...) or the number of a "
    'camera, which Ctrl-C ends'
)
BOXES = (
    'JSON of the persons, for a pose model: a list of x1, y1, x2, y2 for all pictures, or an '
    'object of such lists by names of pictures; without it one person fills the picture'
)


def add_model(parser: argparse.ArgumentParser) -> None:
    """Add ``CONFIG CHECKPOINT`` or ``--model NAME``."""
    add = parser.add_argument
    add('config', nargs='?', help='config file of the model')
    add('checkpoint', nargs='?', help='its weights, a file or a URL')
    _add_name(parser, 'CONFIG and CHECKPOINT')


def load_model(args: argparse.Namespace, device: str) -> 'nn.Module':
    """Load the model that :func:`add_model` selects."""
    _require_one(args.config, args.model, 'CONFIG and CHECKPOINT')
    from mmhires.zoo import load_model

    return load_model(args.model or args.config, args.checkpoint, device)


def model_files(args: argparse.Namespace) -> tuple[str, str]:
    """Return config file and checkpoint of :func:`add_model`."""
    _require_one(args.config, args.model, 'CONFIG and CHECKPOINT')
    if args.model:
        from mmhires.zoo.published import PREFIX

        return _config_file(args.model), f'{PREFIX}{args.model}'
    if not args.checkpoint:
        raise ValueError('give CONFIG and CHECKPOINT, or --model NAME')
    return args.config, args.checkpoint


def add_config(parser: argparse.ArgumentParser) -> None:
    """Add ``CONFIG`` or ``--model NAME``."""
    parser.add_argument(
        'config', nargs='?', help="config file, or the name of one of upstream's, mmseg::..."
    )
    _add_name(parser, 'CONFIG')


def read_config(args: argparse.Namespace) -> str:
    """Return the config file that :func:`add_config` selects."""
    _require_one(args.config, args.model, 'CONFIG')
    return args.config or _config_file(args.model)


def add_configs(parser: argparse.ArgumentParser) -> None:
    """Add ``CONFIG ...`` and ``--model NAME ...``."""
    parser.add_argument('configs', nargs='*', help='baseline first')
    _add_name(parser, 'a config, after them', nargs='+', default=[])


def read_configs(args: argparse.Namespace) -> list[str]:
    """Return the config files that :func:`add_configs` selects."""
    if not args.configs and not args.model:
        raise ValueError('give CONFIG, or --model NAME')
    return [*args.configs, *map(_config_file, args.model)]


def _add_name(parser: argparse.ArgumentParser, instead_of: str, **options) -> None:
    text = f'instead of {instead_of}: a name that `mmhires zoo` lists'
    parser.add_argument('--model', metavar='NAME', help=text, **options)


def _require_one(config: str | None, name: str | None, what: str) -> None:
    if bool(config) == bool(name):
        raise ValueError(f'give {what}, or --model NAME{", not both" if config else ""}')


def _config_file(name: str) -> str:
    from mmhires.zoo.published import config_of

    return str(config_of(name))


class Overrides(argparse.Action):
    """MMEngine's ``DictAction``, imported when it is used."""

    def __call__(self, parser: argparse.ArgumentParser, *args) -> None:
        """Parse the values."""
        from mmengine.config import DictAction

        DictAction(self.option_strings, self.dest)(parser, *args)


def add_overrides(parser: argparse.ArgumentParser) -> None:
    """Add ``--cfg-options``."""
    text = 'overrides for all configs, as in tools/train.py'
    options = dict(nargs='+', action=Overrides, default={}, metavar='KEY=VALUE')
    parser.add_argument('--cfg-options', help=text, **options)


def at_least(least: int) -> Callable[[str], int]:
    """Return the argument type of whole numbers from a minimum on.

    Args:
        least: The smallest number that is accepted.

    Returns:
        From the text of an argument to the number.
    """

    def number(text: str) -> int:
        value = int(text)
        if value < least:
            raise argparse.ArgumentTypeError(f'must be at least {least}, got {value}')
        return value

    return number

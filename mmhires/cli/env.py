# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Print versions, device, engines and where to find help."""

import argparse
import platform
import sys

from mmhires.compat.__main__ import PACKAGES, version_of
from mmhires.version import __version__

# Packages that run an exported file.
ENGINES = ('torch', 'onnxruntime', 'onnxruntime-gpu', 'openvino', 'tensorrt')
HELP = """
mmhires --help                   the commands
mmhires check CONFIG             what would stop a training, all at once
python -m mmhires.compat         what the compatibility layer does here
docs/index.md                    guides, FAQ, reference; make docs builds it
CONTRIBUTING.md                  where things are, how to add one
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add nothing: this command has no arguments."""


def run(args: argparse.Namespace) -> None:
    """Print the report."""
    import torch
    from mmengine.device import get_device

    from mmhires.utils.bf16_convolution import describe

    device = get_device()
    what = f'{torch.get_num_threads()} threads'
    if device == 'cuda':
        what = torch.cuda.get_device_name()
    rows = {'mmhires': __version__, 'python': platform.python_version()}
    rows |= {name: version_of(name) for name in PACKAGES}
    rows |= {'\ndevice': f' {device}, {what}', 'bf16 convolutions': describe(), '\nengine': ''}
    for name, value in [*rows.items(), *((name, version_of(name)) for name in ENGINES)]:
        sys.stdout.write(f'{name:<24}{value}\n')
    sys.stdout.write(HELP)

# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""``python -m mmhires``: versions, device, engines, and where help is."""
import argparse
import platform
import sys

from .compat.__main__ import PACKAGES, _version
from .version import __version__

# Packages that run an exported file.
ENGINES = ('torch', 'onnxruntime', 'onnxruntime-gpu', 'openvino', 'tensorrt')
HELP = """
python -m mmhires.compat         what the compatibility layer does here
python -m mmhires.check CONFIG   what would stop a training, all at once
README.md                        components, tools, methods
CONTRIBUTING.md                  where things are, how to add one
"""


def main() -> None:
    """Print it."""
    argparse.ArgumentParser(
        prog='python -m mmhires',
        description='Print versions, device and engines').parse_args()
    import torch  # after --help, as it takes seconds
    from mmengine.device import get_device
    device = get_device()
    what = (
        torch.cuda.get_device_name()
        if device == 'cuda' else f'{torch.get_num_threads()} threads')
    groups = (('mmhires', __version__), ('python', platform.python_version()),
              *((name, _version(name))
                for name in PACKAGES), ('\ndevice', f' {device}, {what}'),
              ('\nengine', ''), *((name, _version(name)) for name in ENGINES))
    for name, value in groups:
        sys.stdout.write(f'{name:<24}{value}\n')
    sys.stdout.write(HELP)


if __name__ == '__main__':
    main()

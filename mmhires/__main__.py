# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""``python -m mmhires``: versions, device, engines, and where help is."""
import sys
from importlib.metadata import PackageNotFoundError, version

import torch
from mmengine.device import get_device

from .compat.__main__ import PACKAGES
from .version import __version__

# By what `pip install` calls them; the first that is there counts.
ENGINES = {
    'PyTorch': ('torch', ),
    'ONNX Runtime': ('onnxruntime', 'onnxruntime-gpu'),
    'OpenVINO': ('openvino', ),
    'TensorRT': ('tensorrt', ),
}
HELP = """\
python -m mmhires.compat              what the compatibility layer does here
python -m mmhires.check CONFIG        what would stop a training, at once
README.md                             components, tools, methods
CONTRIBUTING.md                       where things are, how to add one"""


def _installed(*packages: str) -> str | None:
    """The version of the first of these packages that is installed."""
    for package in packages:
        try:
            return version(package)
        except PackageNotFoundError:
            continue
    return None


def _device() -> str:
    """What MMEngine trains on, in words."""
    name = get_device()
    if name == 'cuda':
        return f'cuda: {torch.cuda.get_device_name()}'
    return f'{name}, {torch.get_num_threads()} threads'


def main() -> None:
    """Print it."""
    rows = [('mmhires', __version__), ('python', sys.version.split()[0])]
    rows += [(name, _installed(name) or '-') for name in PACKAGES]
    rows += [('', ''), ('device', _device())]
    rows += [(engine, _installed(*packages)
              or f'not installed: pip install {packages[0]}')
             for engine, packages in ENGINES.items()]
    lines = [f'{name:<24}{value}'.rstrip() for name, value in rows]
    sys.stdout.write('\n'.join([*lines, '', HELP]) + '\n')


if __name__ == '__main__':
    main()

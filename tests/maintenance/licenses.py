# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Write LICENSES.md from the metadata of what is installed here.

Every package that the requirement files of the run time name, and what those
depend on in turn:

    python tests/maintenance/licenses.py
"""

import re
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement

HERE = Path(__file__).resolve().parents[2] / 'requirements'
FILES = ('openmmlab', 'runtime', 'deploy', 'openvino')
# Installed with --no-deps: what they need is in runtime.txt.
NO_DEPENDENCIES = 'openmmlab'
# What the metadata leaves out, from the licence file in the package.
KNOWN = dict(openmim='Apache Software License')
HEAD = (
    '# Licences of the run-time dependencies\n\n'
    'Written by `python tests/maintenance/licenses.py` from the metadata of '
    "the installed packages; the CUDA builds of torch bring NVIDIA's\n"
    "own libraries with them, under NVIDIA's licences, which are not listed. "
    'Nothing here is part of mmhires. The extra `video` is not in the\n'
    'list: PyAV is under BSD-3-Clause, but its wheels bring FFmpeg '
    '(LGPL-3.0), x264 and x265 (GPL-2.0), which bind whoever passes\n'
    'them on; without PyAV, OpenCV reads and writes videos.\n\n'
    '| package | version | licence | asked for by |\n|---|---|---|---|\n'
)


def requirements(name: str) -> list[Requirement]:
    """What one of the files asks for."""
    lines = (HERE / f'{name}.txt').read_text().splitlines()
    lines = [line.split('#')[0].strip() for line in lines]
    return [Requirement(line) for line in lines if line]


def licence(package: metadata.Distribution) -> str:
    """The name of a package's licence, in one line."""
    name = package.name.lower()
    if name in KNOWN:
        return KNOWN[name]
    expression = package.metadata.get('License-Expression')
    classifiers = [
        line.split(' :: ')[-1]
        for line in package.metadata.get_all('Classifier') or ()
        if line.startswith('License ::')
    ]
    text = (package.metadata.get('License') or '').strip()
    found = expression or ', '.join(classifiers) or text
    if not found or '\n' in found or len(found) > 120:
        raise ValueError(
            f'{package.name} does not name its licence in a line of metadata; add it to KNOWN'
        )
    return found


def collect() -> dict[str, tuple]:
    """Version, licence and origin of every package, by name."""
    waiting = [(Requirement('torch'), 'setup.py', True)]
    for name in FILES:
        waiting += [
            (requirement, f'{name}.txt', name != NO_DEPENDENCIES)
            for requirement in requirements(name)
        ]
    found = {}
    for requirement, origin, follow in waiting:  # grows on the way
        name = re.sub(r'[-_.]+', '-', requirement.name).lower()
        marker = requirement.marker
        if name in found or (marker and not marker.evaluate({'extra': ''})):
            continue
        package = metadata.distribution(name)
        found[name] = package.version.split('+')[0], licence(package), origin
        if follow:
            waiting += [(Requirement(line), name, True) for line in package.requires or ()]
    return found


def table() -> str:
    """The whole file."""
    return HEAD + ''.join(
        f'| {" | ".join((name, *row))} |\n' for name, row in sorted(collect().items())
    )


if __name__ == '__main__':
    (HERE / 'LICENSES.md').write_text(table())

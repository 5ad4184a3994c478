# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Compare the marker ``slow`` with what tests take, by a report of pytest.

    make test ARGS='--junitxml=report.xml'
    python tests/maintenance/slow_tests.py report.xml

A test of a module whose fixture takes long is slow by the first that uses it:
look at the others of that fixture, too.
"""

import subprocess
import sys
import xml.etree.ElementTree as ElementTree

LIMIT = 5  # seconds, with what its fixtures take


def name_of(test: str) -> tuple[str, str]:
    """Module and name of ``tests/test_x.py::test_name[case]``."""
    path, _, name = test.partition('::')
    return path.removesuffix('.py').replace('/', '.'), name


def main(report: str) -> None:
    collected = subprocess.run(
        [sys.executable, '-m', 'pytest', '--collect-only', '-qm', 'slow'],
        capture_output=True,
        check=True,
        text=True,
    ).stdout
    marked = {name_of(line) for line in collected.splitlines() if '::' in line}
    cases = sorted(
        ElementTree.parse(report).iter('testcase'), key=lambda case: -float(case.get('time'))
    )
    for case in cases:
        seconds = float(case.get('time'))
        test = case.get('classname'), case.get('name')
        if (seconds > LIMIT) != (test in marked):
            advice = 'mark' if seconds > LIMIT else 'do not mark'
            print(f'{seconds:6.1f} s, {advice}: {"::".join(test)}')


if __name__ == '__main__':
    main(sys.argv[1])

# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
import subprocess
import sys

import pytest

# The host packages take seconds to import: each case is a fork of one process
# that has them, and nothing of ours but the package itself.
CASES = """
import os, sys
import mmhires, mmseg.models
loaded = sorted(name for name in sys.modules if name.startswith("mmhires."))
assert "mmhires.models" not in loaded, loaded

def prefixed(scope):
    from mmengine.registry import MODELS, DefaultScope
    DefaultScope.get_instance("test", scope_name=scope)
    return MODELS.build(dict(type="mmhires.FALoss")).subsample

def registered():
    import mmhires.models, mmhires.datasets, mmhires.evaluation, mmhires.engine
    import mmengine.registry as root
    from mmseg.registry import DATASETS, METRICS, MODELS
    return [
        (registry.name, name)
        for registry in (MODELS, DATASETS, METRICS, root.MODELS, root.HOOKS,
                         root.OPTIM_WRAPPERS)
        for name, cls in registry.module_dict.items()
        if cls.__module__.startswith("mmhires")]

for case, function, *args in (
        ("mmseg", prefixed, "mmseg"), ("mmpose", prefixed, "mmpose"),
        ("mmengine", prefixed, "mmengine"), ("upstream", registered)):
    if (child := os.fork()) == 0:
        print(case, function(*args), flush=True)
        os._exit(0)
    os.waitpid(child, 0)
"""


def run(python, code):
    done = subprocess.run([python, '-W', 'ignore', '-c', code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope='module')
def printed(python):
    """What each case printed, by its name."""
    return dict(line.split(' ', 1) for line in run(python, CASES).splitlines() if line.count(' '))


@pytest.mark.parametrize('scope', ['mmseg', 'mmpose', 'mmengine'])
def test_a_prefixed_type_resolves_from_any_scope(scope, printed):
    assert printed[scope] == '8'


def test_upstream_registries_get_nothing_from_us(printed):
    assert printed['upstream'] == '[]'


def test_import_of_the_package_loads_no_host_package():
    assert (
        run(
            sys.executable,
            """
import sys, mmhires
print(sorted({"mmseg", "mmpose", "torchvision"} & set(sys.modules)))""",
        ).strip()
        == '[]'
    )

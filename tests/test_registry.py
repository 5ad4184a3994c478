# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
import subprocess
import sys

import pytest


def run(code):
    return subprocess.run([sys.executable, '-W', 'ignore', '-c', code],
                          capture_output=True,
                          text=True)


@pytest.mark.parametrize('scope', ['mmseg', 'mmpose', 'mmengine'])
def test_a_prefixed_type_resolves_from_any_scope(scope):
    result = run(f'''
import mmhires
from mmengine.registry import MODELS, DefaultScope
DefaultScope.get_instance("test", scope_name={scope!r})
print(MODELS.build(dict(type="mmhires.FALoss")).subsample)''')
    assert result.stdout.strip().endswith('8'), result.stderr


def test_upstream_registries_get_nothing_from_us():
    result = run('''
import mmhires.models, mmhires.datasets, mmhires.evaluation, mmhires.engine
import mmseg.models, mmengine.registry as root
from mmseg.registry import DATASETS, METRICS, MODELS
for registry in (MODELS, DATASETS, METRICS, root.MODELS, root.HOOKS,
                 root.OPTIM_WRAPPERS):
    for name, cls in registry.module_dict.items():
        assert not cls.__module__.startswith("mmhires"), (registry, name)
print("clean")''')
    assert result.stdout.strip() == 'clean', result.stderr


def test_import_of_the_package_loads_no_host_package():
    result = run('''
import sys, mmhires
print(sorted({"mmseg", "mmpose", "torchvision"} & set(sys.modules)))''')
    assert result.stdout.strip() == '[]', result.stderr

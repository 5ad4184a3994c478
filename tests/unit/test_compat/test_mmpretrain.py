# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
import os
import subprocess
import sys
from importlib.util import find_spec

import pytest

from mmhires.compat.torchvision import _loads, torchvision_stand_in

pytest.importorskip('mmpretrain')

no_torchvision = pytest.mark.skipif(
    find_spec('torchvision') is not None, reason='torchvision is installed'
)


def run_python(code):
    return subprocess.run(
        [sys.executable, '-W', 'ignore', '-c', code],
        env={**os.environ, 'PYTHONPATH': os.pathsep.join(sys.path)},
        text=True,
        capture_output=True,
        timeout=300,
    )


@no_torchvision
def test_without_the_item_mmpretrain_is_not_importable():
    done = run_python(
        'from mmhires import compat\n'
        'compat.import_hook._FINDER.runs.pop("mmpretrain")\n'
        'import mmpretrain.datasets'
    )
    assert "No module named 'torchvision'" in done.stderr


def test_classifiers_data_and_metrics_of_mmpretrain_can_be_imported():
    from mmpretrain.datasets import ImageNet
    from mmpretrain.evaluation import Accuracy
    from mmpretrain.registry import MODELS, TRANSFORMS

    assert MODELS.get('ImageClassifier').__name__ == 'ImageClassifier'
    assert ImageNet.__module__.startswith('mmpretrain.')
    assert Accuracy.__module__.startswith('mmpretrain.')
    assert TRANSFORMS.get('RandomErasing') is not None


@no_torchvision
def test_others_still_find_torchvision_absent_and_no_fake_transform():
    from mmpretrain.registry import TRANSFORMS

    assert not [name for name in sys.modules if name.split('.')[0] == 'torchvision']
    assert not [name for name in TRANSFORMS.module_dict if name.startswith('torchvision/')]


@no_torchvision
def test_what_needs_torchvision_says_so_when_it_is_used():
    from mmpretrain.datasets.transforms import MAERandomResizedCrop

    with pytest.raises(ModuleNotFoundError, match='pip install torchvision'):
        MAERandomResizedCrop(224)


def test_a_stand_in_counts_as_absent_and_leaves_what_was_there(monkeypatch):
    monkeypatch.setitem(sys.modules, 'torchvision', 'the real one')
    with torchvision_stand_in():
        from torchvision.transforms import functional

        assert not _loads()
        with pytest.raises(ModuleNotFoundError, match='^resize needs torch'):
            functional.resize(1)
    assert sys.modules['torchvision'] == 'the real one'

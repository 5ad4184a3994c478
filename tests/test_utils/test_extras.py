# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
import sys

import pytest

from mmhires.utils.extras import import_extra


def test_package_that_is_not_installed_is_named_with_what_to_install(
        monkeypatch):
    monkeypatch.setitem(sys.modules, 'onnxruntime', None)
    with pytest.raises(
            ImportError,
            match=r'^onnxruntime is not installed: .*"mmhires\[deploy\]"$'):
        import_extra('onnxruntime.quantization', 'deploy')
    assert import_extra('xml.dom', 'deploy').__name__ == 'xml.dom'

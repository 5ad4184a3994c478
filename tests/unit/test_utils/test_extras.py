# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
import pytest

from mmhires.utils.extras import import_extra


def test_package_that_is_not_installed_is_named_with_what_to_install():
    with pytest.raises(
        ImportError, match=r'^no_such_engine is not installed: .*"mmhires\[deploy\]"$'
    ):
        import_extra('no_such_engine.quantization', 'deploy')
    assert import_extra('xml.dom', 'deploy').__name__ == 'xml.dom'

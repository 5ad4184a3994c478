# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
import pytest

from mmhires.compat import pkg_resources


def test_missing_pkg_resources_names_the_command_that_restores_it(monkeypatch):
    monkeypatch.setattr(pkg_resources, 'find_spec', lambda name: None)
    monkeypatch.setattr(pkg_resources, 'installed_fork', lambda name: None)
    with pytest.warns(UserWarning, match=r'pip install "setuptools<81"'):
        changed, why = pkg_resources.install()
    assert not changed
    assert 'pip install "setuptools<81"' in why

# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
import pytest
from mmengine.runner import Runner


@pytest.fixture
def quick_start(monkeypatch):
    """A runner starts without what takes seconds and changes nothing."""
    monkeypatch.setattr(Runner, '_log_env', lambda *args: None)
    monkeypatch.setattr('mmengine.runner.runner.get_git_hash', lambda: '')

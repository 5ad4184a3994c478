# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Every registered part of a network as a file, by the recipes beside it."""

import exporting
import pytest

pytest.importorskip('onnxruntime')
OURS = [one for one in exporting.components() if one[1] not in exporting.UPSTREAM]
# Files of any size of networks of many layers.
SLOW = ('ESPNetv2', 'DAPPMHead', 'DABNet', 'DDRNet')
CASES = [
    pytest.param(
        *way,
        *component,
        marks=[pytest.mark.slow] if way[0] == '.pt2' and component[1] in SLOW else [],
    )
    for component in OURS
    for way in exporting.WAYS
]


@pytest.mark.parametrize('suffix, dynamic, kind, name', CASES)
def test_a_file_of_every_component_agrees_with_it(suffix, dynamic, kind, name):
    if kind == 'For poses':
        pytest.importorskip('mmpose')
    assert exporting.problem(kind, name, suffix, dynamic) == ''


def test_the_page_says_what_exports_to_what(repo_root):
    pytest.importorskip('mmpose')
    page = repo_root / 'docs/guides/deploy.md'
    assert exporting.table() in page.read_text()

# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""``tools/analysis_tools/feature_maps.py``."""

import cv2
import pytest


@pytest.fixture
def draw(call_tool, tiny, tiny_weights, tmp_path):
    """Run the script on ``tiny.py``, shown once for each list of modules."""

    def draw(*models, picture='images/0.png'):
        argv = [tiny / picture, '--out', tmp_path / 'new' / 'maps.png']
        for modules in models:
            argv += ['--model', tiny / 'tiny.py', tiny_weights, *modules]
        return call_tool('analysis_tools/feature_maps.py', *argv)

    return draw


def test_two_models_are_drawn_in_one_row(draw, tmp_path, capsys):
    assert draw([], ['backbone.layer1', 'backbone.layer4']) is None
    assert 'drew 3 maps' in capsys.readouterr().out
    height, width = cv2.imread(str(tmp_path / 'new/maps.png')).shape[:2]
    assert width > 3 * height  # four panels of 64x96


def test_unknown_module_or_no_picture_is_one_line(draw):
    assert "no module 'backbone.layer5'" in draw(['backbone.layer5'])
    assert 'tiny.py: not an image' in draw([], picture='tiny.py')
    assert 'none.png' in draw([], picture='none.png')

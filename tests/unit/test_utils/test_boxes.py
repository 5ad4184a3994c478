# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
import json

import numpy as np
import pytest

from mmhires.utils.boxes import BoxFile, check_boxes

inf, nan = float('inf'), float('nan')


def test_boxes_partly_outside_are_taken_as_they_are():
    boxes = [[-5, 2, 30, 70], [1, 1, 2, 2]]
    np.testing.assert_array_equal(check_boxes(boxes, 60, 40), boxes)
    np.testing.assert_array_equal(check_boxes(None, 60, 40), [[0, 0, 40, 60]])
    assert check_boxes([], 60, 40).shape == (0, 4)


@pytest.mark.parametrize(
    'box, fault',
    [
        ([0, 0, inf, 5], 'is not finite'),
        ([nan, 0, 5, 5], 'is not finite'),
        ([0, 9, 5, 5], 'is reversed'),
        ([5, 0, 0, 5], 'is reversed'),
        ([5, 0, 5, 5], 'has no area'),
        ([40, 0, 50, 5], 'lies outside the image of 40x60'),
        ([0, -9, 5, 0], 'lies outside'),
        ([-1e30, 0, 1e30, 5], 'far larger'),
    ],
)
def test_box_that_cannot_be_is_named_with_its_fault(box, fault):
    with pytest.raises(ValueError, match=fault) as error:
        check_boxes([[0, 0, 5, 5], box], 60, 40)
    assert '\n' not in str(error.value)


@pytest.mark.parametrize(
    'boxes, fault',
    [
        ([[0, 0, 5]], r'got \(1, 3\)'),
        ([0, 0, 5, 5], r'got \(4,\)'),
        ([[0, 0, 5, 5], [0, 0, 5]], 'not numbers of one shape'),
        ([['a', 0, 5, 5]], 'not numbers'),
    ],
)
def test_boxes_of_another_form_are_refused(boxes, fault):
    with pytest.raises(ValueError, match=fault):
        check_boxes(boxes, 60, 40)


def test_file_has_boxes_for_all_pictures_or_by_name(tmp_path):
    file = tmp_path / 'boxes.json'
    file.write_text(json.dumps([[1, 2, 3, 4]]))
    assert BoxFile(file).of('a.png') == [[1, 2, 3, 4]]
    file.write_text(json.dumps({'x/a.png': [[1, 2, 3, 4]], 'b.png': []}))
    boxes = BoxFile(file)
    assert boxes.of('x/a.png') == [[1, 2, 3, 4]] and boxes.of('y/b.png') == []
    with pytest.raises(ValueError, match='c.png: .*no boxes of it'):
        boxes.of('c.png')


@pytest.mark.parametrize('text', ['', '{', '3', '[1, 2]', '{"a": 1}', '"a"'])
def test_file_of_another_form_is_named(text, tmp_path):
    file = tmp_path / 'boxes.json'
    file.write_text(text)
    with pytest.raises(ValueError, match='boxes.json'):
        BoxFile(file)

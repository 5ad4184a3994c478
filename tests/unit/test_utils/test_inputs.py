# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""What a command line names, and what the outputs are called."""

import os
from pathlib import Path

import pytest

from mmhires.utils.inputs import find_inputs, list_inputs, name_outputs


@pytest.fixture
def tree(tmp_path, monkeypatch):
    """A directory of pictures and videos, which is the current one."""
    for name in (
        'a.jpg',
        'a.png',
        'a.jpg.png',
        'city/1.png',
        'city/x/1.png',
        'city/y/1.PNG',
        'city/y/notes.txt',
        'city/.cache/1.png',
        'out/a.png',
        'v.mp4',
        'w/v.avi',
        'w/v.mov',
        's[1].png',
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def outputs(*places, **options):
    """Inputs, and the name of the output of each."""
    inputs = list_inputs(*places, **options)
    names, _ = name_outputs(inputs)
    return [(str(given.source), str(name)) for given, name in zip(inputs, names, strict=True)]


def test_directories_within_are_kept_in_the_outputs(tree):
    assert outputs('city') == [
        ('city/1.png', '1'),
        ('city/x/1.png', 'x/1'),
        ('city/y/1.PNG', 'y/1'),
    ]
    assert outputs(tree / 'city/x/1.png') == [(f'{tree}/city/x/1.png', '1')]


def test_outputs_within_the_inputs_are_not_inputs_of_the_next_run(tree):
    found = [name for name, _ in outputs('.', leave_out='out')]
    assert 'out/a.png' not in found and 'city/x/1.png' in found
    assert ('out/a.png', 'a') in outputs('out', leave_out='out')


def test_directory_that_links_to_itself_is_looked_at_once(tree):
    (tree / 'city/loop').symlink_to('..')
    assert len(outputs('city')) == 3 + len(outputs('.', leave_out='city'))


@pytest.mark.parametrize(
    'pattern, found',
    [
        ('city/*/*', [('city/x/1.png', 'x/1'), ('city/y/1.PNG', 'y/1')]),
        ('city/**/*.png', [('city/1.png', '1'), ('city/x/1.png', 'x/1')]),
        (
            'ci*',
            [('city/1.png', 'city/1'), ('city/x/1.png', 'city/x/1'), ('city/y/1.PNG', 'city/y/1')],
        ),
        ('w/*.mov', [('w/v.mov', 'v')]),
        ('s[1].png', [('s[1].png', 's[1]')]),
    ],
)
def test_pattern_finds_what_it_matches(pattern, found, tree):
    assert outputs(pattern) == found


def test_several_places_do_not_share_outputs(tree):
    assert outputs('city/x/1.png', 'city/y/1.PNG', 'city/x') == [
        ('city/x/1.png', 'x/1'),
        ('city/y/1.PNG', 'y/1'),
    ]


def test_inputs_of_one_stem_keep_their_suffixes_and_are_named(tree):
    inputs = list_inputs('a.jpg', 'a.png', 'a.jpg.png', 'v.mp4')
    names, shared = name_outputs(inputs)
    assert [str(name) for name in names] == ['a.jpg', 'a.png', 'a.jpg.png', 'v']
    assert shared == ['a.jpg', 'a.png', 'a.jpg.png']


def test_cameras_and_addresses_are_not_looked_for_on_the_disk():
    places = ('0', 'rtsp://h/live', 'rtsp://g:554/live?x=1', 'http://h/')
    inputs = list_inputs(*places)
    assert [given.source for given in inputs] == [0, *places[1:]]
    assert all(given.is_video for given in inputs)
    names = [str(name) for name in name_outputs(inputs)[0]]
    assert names[0] == 'camera0' and len(set(names)) == 4


@pytest.mark.parametrize(
    'place, kind, text',
    [
        ('none.png', FileNotFoundError, 'none.png does not exist'),
        ('q*.png', FileNotFoundError, 'q[*].png: no picture or video matches'),
        ('city/y/notes.txt', ValueError, 'notes.txt is neither a picture'),
        ('empty', FileNotFoundError, 'empty holds no picture'),
        ('x' * 256 + '.png', OSError, 'File name too long'),
    ],
)
def test_place_without_pictures_is_named(place, kind, text, tree):
    (tree / 'empty').mkdir()
    with pytest.raises(kind, match=text):
        list_inputs(place)


def test_file_address_is_a_file_and_a_camera_is_none(tree):
    place = (tree / 's[1].png').as_uri()
    assert find_inputs(place) == [tree / 's[1].png']
    with pytest.raises(ValueError, match='0 is neither a file nor'):
        find_inputs('0')


def test_what_looks_like_a_picture_is_not_passed_over(tree):
    (tree / 'city/folder.png').mkdir()
    os.symlink('nowhere', tree / 'city/dangling.png')
    found = find_inputs('city')
    assert {Path('city/folder.png'), Path('city/dangling.png')} <= set(found)

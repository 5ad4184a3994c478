# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Masks of colours or grey values, and the labels that they become."""

import numpy as np
import pytest
from PIL import Image

from mmhires.cli import main
from mmhires.converters.masks import convert_masks, read_palette

ROAD, CAR = (128, 64, 128), (0, 0, 142)
PALETTES = {
    'numbers': ['0 0 0 background', '128 64 128 road', '0 0 142 car'],
    'csv': ['name,r,g,b', 'background,0,0,0', 'road,128,64,128', '', 'car,0,0,142'],
    'cvat': [
        '# label:color_rgb:parts:actions',
        'background:0,0,0::',
        'road:128,64,128::',
        'car:0,0,142::',
    ],
}
LABEL = np.array([[0, 1, 2], [2, 1, 0]], np.uint8)


@pytest.fixture
def masks(tmp_path):
    """A folder of one colour mask in the folder of a split."""
    colours = np.array([(0, 0, 0), ROAD, CAR], np.uint8)
    folder = tmp_path / 'masks/train'
    folder.mkdir(parents=True)
    Image.fromarray(colours[LABEL]).save(folder / 'a.png')
    return tmp_path / 'masks'


def saved(path):
    image = Image.open(path)
    assert image.mode == 'L'
    return np.asarray(image)


def content(folder):
    return {
        path.relative_to(folder): path.read_bytes() for path in folder.rglob('*') if path.is_file()
    }


@pytest.mark.parametrize('form', PALETTES)
def test_colours_become_the_indices_of_their_lines(form, masks, tmp_path):
    palette = read_palette(PALETTES[form])
    assert palette.names == ['background', 'road', 'car']
    count, pixels = convert_masks(masks, tmp_path / 'labels', palette)
    assert count == 1 and pixels.tolist() == [2, 2, 2, 0]
    assert (saved(tmp_path / 'labels/train/a.png') == LABEL).all()


@pytest.mark.parametrize('kind', ['RGBA', 'P', 'bmp'])
def test_how_a_mask_stores_its_colours_makes_no_difference(kind, masks, tmp_path):
    file = masks / 'train/a.png'
    image = Image.open(file).convert('RGB')
    if kind == 'bmp':
        file.unlink()
        image.save(file.with_suffix('.bmp'))
    else:
        options = dict(palette=Image.Palette.ADAPTIVE) if kind == 'P' else {}
        image.convert(kind, **options).save(file)
    convert_masks(masks, tmp_path / 'out', read_palette(PALETTES['csv']))
    assert (saved(tmp_path / 'out/train/a.png') == LABEL).all()


@pytest.mark.parametrize('kind', ['L', 'RGB', 'P', 'I;16'])
def test_grey_values_are_those_of_the_file(kind, tmp_path):
    (tmp_path / 'masks').mkdir()
    largest = 1000 if kind == 'I;16' else 255
    values = np.array([0, 7, largest])[LABEL]
    mask = Image.fromarray(values.astype(np.uint16 if kind == 'I;16' else np.uint8))
    if kind == 'P':  # any colours: its indices count
        mask.putpalette(np.random.default_rng(0).bytes(768))
    elif kind == 'RGB':
        mask = mask.convert(kind)
    mask.save(tmp_path / 'masks/a.png')
    convert_masks(
        tmp_path / 'masks', tmp_path / 'out', read_palette(['0', '7', f'{largest} crack'])
    )
    assert (saved(tmp_path / 'out/a.png') == LABEL).all()


def test_lines_of_one_name_are_one_class_and_ignore_is_255(masks, tmp_path):
    palette = read_palette(['0,0,0,ignore', '128,64,128,street', '0,0,142,b'])
    assert palette.names == ['street', 'b']
    palette = read_palette(['128,64,128,a thing', '0,0,0,ignore', '0,0,142,a thing'])
    _, pixels = convert_masks(masks, tmp_path / 'out', palette)
    assert pixels.tolist() == [4, 2]
    assert (saved(tmp_path / 'out/train/a.png') == [[255, 0, 0], [0, 0, 255]]).all()


def test_other_colours_are_named_with_file_and_pixel_or_ignored(masks, tmp_path, capsys):
    before, out = content(masks), tmp_path / 'out'
    args = ['convert', 'masks', str(masks), str(out), '--classes']
    args += ['0,0,0', '128,64,128']
    assert main(args) == 2
    error = capsys.readouterr().err
    assert len(error.splitlines()) == 1
    for part in (
        str(masks / 'train/a.png'),
        '[0, 0, 142] at x=2, y=0',
        '2 bad pixels',
        '--ignore-others',
    ):
        assert part in error
    assert sorted(tmp_path.iterdir()) == [masks]
    assert main([*args, '--ignore-others']) == 0
    assert capsys.readouterr().out == (
        f'{out}: 1 masks\n 33.33 % 0 0 0 0\n 33.33 % 1 128 64 128\n 33.33 % 255 ignored\n'
    )
    assert (saved(out / 'train/a.png') == [[0, 1, 255], [255, 1, 0]]).all()
    assert content(masks) == before


def test_no_input_is_replaced(masks, tmp_path, capsys):
    palette = tmp_path / 'old/classes.txt'
    palette.parent.mkdir()
    palette.write_text('\n'.join(PALETTES['csv']))
    (tmp_path / 'link').symlink_to(masks)
    before = content(tmp_path)
    for dst, reason in (
        ('masks', 'must not lie in one another'),
        ('link', 'must not lie in one another'),
        ('masks/train', 'must not lie in one another'),
        ('.', 'must not lie in one another'),
        ('old', f'{palette} lies in'),
    ):
        assert (
            main(
                [
                    'convert',
                    'masks',
                    str(masks),
                    str(tmp_path / dst),
                    '--force',
                    '--palette',
                    str(palette),
                ]
            )
            == 2
        )
        assert reason in capsys.readouterr().err
        assert content(tmp_path) == before


def test_two_masks_of_one_name_do_not_become_one_label(masks, tmp_path):
    Image.open(masks / 'train/a.png').save(masks / 'train/a.bmp')
    with pytest.raises(ValueError, match=r'a\.png: there is another mask'):
        convert_masks(masks, tmp_path / 'out', read_palette(PALETTES['csv']))


def test_colour_masks_are_not_taken_for_grey_ones(masks, tmp_path):
    with pytest.raises(ValueError, match=r'a\.png has colours: give a pal'):
        convert_masks(masks, tmp_path / 'out', read_palette(['0', '255']))


@pytest.mark.parametrize(
    'lines, reason',
    [
        (['0 0 0 a', '1 2 b'], "line 2 of the palette, '1 2 b': expected"),
        (['0 0 0 a', '0 0 256 b'], 'line 2 of the palette'),
        (['background', '255'], "line 1 of the palette, 'background'"),
        (['0 0 0 a', '0,0,0,b'], r'line 2 .* \(0, 0, 0\) is of another class'),
        (['0 0 0 a', '255 b'], 'has colours and grey values'),
        (['# nothing'], 'has 0 classes'),
        ([str(i) for i in range(256)], 'has 256 classes, expected 1 to 255'),
    ],
)
def test_palette_with_a_mistake_is_refused_by_its_line(lines, reason):
    with pytest.raises(ValueError, match=reason):
        read_palette(lines)

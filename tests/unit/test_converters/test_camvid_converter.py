# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
import os
import signal
import subprocess
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import mmhires  # noqa: F401  (compat before mmseg)
from mmhires.converters import camvid, camvid_layouts
from mmhires.converters.camvid import convert_camvid
from mmhires.datasets import CamVidDataset

ROOT = Path(__file__).parents[3]
TOOL = ROOT / 'tools/dataset_converters/camvid.py'
SHARED = ROOT.parent / 'shared/data/camvid'
# label_colors.txt of the University of Cambridge
COLOURS = {
    'Animal': (64, 128, 64),
    'Archway': (192, 0, 128),
    'Bicyclist': (0, 128, 192),
    'Bridge': (0, 128, 64),
    'Building': (128, 0, 0),
    'Car': (64, 0, 128),
    'CartLuggagePram': (64, 0, 192),
    'Child': (192, 128, 64),
    'Column_Pole': (192, 192, 128),
    'Fence': (64, 64, 128),
    'LaneMkgsDriv': (128, 0, 192),
    'LaneMkgsNonDriv': (192, 0, 64),
    'Misc_Text': (128, 128, 64),
    'MotorcycleScooter': (192, 0, 192),
    'OtherMoving': (128, 64, 64),
    'ParkingBlock': (64, 192, 128),
    'Pedestrian': (64, 64, 0),
    'Road': (128, 64, 128),
    'RoadShoulder': (128, 128, 192),
    'SUVPickupTruck': (64, 128, 192),
    'Sidewalk': (0, 0, 192),
    'SignSymbol': (192, 128, 128),
    'Sky': (128, 128, 128),
    'TrafficCone': (0, 0, 64),
    'TrafficLight': (0, 64, 64),
    'Train': (192, 64, 128),
    'Tree': (128, 128, 0),
    'Truck_Bus': (192, 128, 192),
    'Tunnel': (64, 0, 64),
    'VegetationMisc': (192, 192, 0),
    'Void': (0, 0, 0),
    'Wall': (64, 192, 0),
}
# One of each split by SegNet's rule, at the borders of the rule.
FRAMES = {
    '0001TP_008520': 'train',
    '0001TP_008550': 'test',
    '0006R0_f00930': 'train',
    '0016E5_07920': 'train',
    '0016E5_07959': 'val',
    '0016E5_08159': 'val',
    '0016E5_08190': 'train',
    'Seq05VD_f00000': 'test',
}


def save(array, path):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.asarray(array, np.uint8)).save(path)


@pytest.fixture
def original(tmp_path):
    """The original layout, every label a row of the 32 colours."""
    src = tmp_path / 'src'
    label = np.array([[*COLOURS.values()]] * 3)
    for i, name in enumerate(FRAMES):
        save(np.full((3, 32, 3), i), src / f'701_StillsRaw_full/{name}.png')
        save(label, src / f'LabeledApproved_full/{name}_L.png')
    return src


@pytest.fixture
def segnet(tmp_path):
    """SegNet's layout, every label a row of 0 to 11."""
    src = tmp_path / 'src'
    for split, n in (('train', 3), ('val', 2), ('test', 1)):
        for i in range(n):
            save(np.full((3, 12, 3), i), src / f'{split}/{i}.png')
            save([range(12)] * 3, src / f'{split}annot/{i}.png')
    return src


def read(path):
    return np.asarray(Image.open(path))


def names(dst, kind='images'):
    return {p.stem: p.parent.name for p in sorted((dst / kind).rglob('*.png'))}


def assert_refused(src, error, message, **kwargs):
    """AdaptError with the message, and nothing left beside ``src``."""
    dst = src.parent / 'deep/dst'
    before = sorted(src.parent.iterdir())
    with pytest.raises(error, match=message) as info:
        convert_camvid(src, dst, **{'allow_partial': True, **kwargs})
    assert '\n' not in str(info.value)
    assert sorted(src.parent.iterdir()) == before


def test_segnet_void_11_becomes_255_and_images_are_untouched(segnet, tmp_path):
    dst = tmp_path / 'a/dst'
    counts = convert_camvid(segnet, dst, allow_partial=True)
    assert counts == dict(train=3, val=2, test=1)
    for split, n in counts.items():
        for i in range(n):
            assert (dst / f'images/{split}/{i}.png').read_bytes() == (
                segnet / f'{split}/{i}.png'
            ).read_bytes()
            label = read(dst / f'labels/{split}/{i}.png')
            assert label.dtype == np.uint8
            assert label.tolist() == [[*range(11), 255]] * 3
    assert names(dst, 'labels') == names(dst)
    assert sorted(p.name for p in tmp_path.iterdir()) == ['a', 'src']
    assert [p.name for p in dst.parent.iterdir()] == ['dst']


def test_original_frames_go_to_the_split_of_segnet(original, tmp_path):
    dst = tmp_path / 'dst'
    convert_camvid(original, dst, allow_partial=True)
    assert names(dst) == names(dst, 'labels') == FRAMES


def test_the_32_colours_merge_into_segnets_11_classes(original, tmp_path):
    convert_camvid(original, tmp_path / 'dst', allow_partial=True)
    label = read(tmp_path / 'dst/labels/val/0016E5_07959.png')
    merged = {}
    for name, value in zip(COLOURS, label[1], strict=True):
        merged.setdefault(int(value), set()).add(name)
    classes = CamVidDataset.METAINFO['classes']
    assert {classes[k] if k != 255 else None: v for k, v in merged.items()} == {
        'Sky': {'Sky'},
        'Building': {'Archway', 'Bridge', 'Building', 'Tunnel', 'Wall'},
        'Pole': {'Column_Pole', 'TrafficCone'},
        'Road': {'Road', 'LaneMkgsDriv', 'LaneMkgsNonDriv'},
        'Sidewalk': {'Sidewalk', 'ParkingBlock', 'RoadShoulder'},
        'Tree': {'Tree', 'VegetationMisc'},
        'SignSymbol': {'SignSymbol', 'Misc_Text', 'TrafficLight'},
        'Fence': {'Fence'},
        'Car': {'Car', 'SUVPickupTruck', 'Truck_Bus', 'Train', 'OtherMoving'},
        'Pedestrian': {'Pedestrian', 'Child', 'CartLuggagePram', 'Animal'},
        'Bicyclist': {'Bicyclist', 'MotorcycleScooter'},
        None: {'Void'},
    }


def test_palette_is_the_published_colour_of_the_class():
    # SegNet draws the pavement in a colour of its own.
    renamed = dict(Pole='Column_Pole', Sidewalk=None)
    for name, colour in zip(
        CamVidDataset.METAINFO['classes'], CamVidDataset.METAINFO['palette'], strict=True
    ):
        source = renamed.get(name, name)
        if source:
            assert tuple(colour) == COLOURS[source], name


def test_lists_override_the_rule_and_may_be_segnets(original, tmp_path):
    lists = tmp_path / 'lists'
    lists.mkdir()
    (lists / 'train.txt').write_text(
        '/SegNet/CamVid/train/0001TP_008550.png /x/0001TP_008550.png\n\n'
    )
    (lists / 'val.txt').write_text('0006R0_f00930\n')
    counts = convert_camvid(original, tmp_path / 'dst', split_dir=lists)
    assert counts == dict(train=1, val=1, test=0)
    assert names(tmp_path / 'dst') == {'0001TP_008550': 'train', '0006R0_f00930': 'val'}


def test_a_listed_frame_that_is_missing_or_twice_is_named(original):
    lists = original.parent / 'lists'
    lists.mkdir()
    (lists / 'train.txt').write_text('0001TP_000000\n')
    (lists / 'val.txt').write_text('')
    assert_refused(original, FileNotFoundError, r'train\.txt lists 0001TP_000000', split_dir=lists)
    (lists / 'train.txt').write_text('0006R0_f00930\n0006R0_f00930.png\n')
    assert_refused(original, ValueError, '0006R0_f00930 is listed twice', split_dir=lists)
    (lists / 'train.txt').write_text('0006R0_f00930\n')
    (lists / 'val.txt').unlink()
    assert_refused(original, FileNotFoundError, r'val\.txt', split_dir=lists)


@pytest.mark.parametrize('layout', ['segnet', 'original'])
def test_incomplete_data_is_refused_with_both_counts(layout, request):
    src = request.getfixturevalue(layout)
    found = '3' if layout == 'segnet' else '4'
    assert_refused(
        src,
        ValueError,
        f'train: expected 367, found {found}; val: expected 101, found 2; '
        'test: expected 233, found ',
        allow_partial=False,
    )


def test_a_test_split_that_is_wholly_absent_is_no_error(segnet, tmp_path, monkeypatch):
    monkeypatch.setattr(camvid, 'PUBLISHED_COUNTS', dict(train=3, val=2, test=9))
    with pytest.raises(ValueError, match='test: expected 9, found 1'):
        convert_camvid(segnet, tmp_path / 'dst')
    (segnet / 'test/0.png').unlink()
    (segnet / 'testannot/0.png').unlink()
    counts = convert_camvid(segnet, tmp_path / 'dst')
    assert counts == dict(train=3, val=2, test=0)
    assert not (tmp_path / 'dst/images/test').exists()


def value_12(src):
    save([[0] * 12, [12] + [0] * 11, [0] * 12], src / 'valannot/1.png')
    return (
        r'valannot/1\.png has the value 12 at x=0, y=1 \(1 bad pixels\);'
        ' allowed are 0 to 11'
    )


def colour_label(src):
    save(np.zeros((3, 12, 3)), src / 'valannot/1.png')
    return r'valannot/1\.png has shape \(3, 12, 3\)'


def label_size(src):
    save([range(12)] * 4, src / 'valannot/1.png')
    return r'valannot/1\.png has .* \(4, 12\), expected \(3, 12\)'


def one_other_size(src):
    save(np.zeros((4, 12, 3)), src / 'val/1.png')
    save([range(12)] * 4, src / 'valannot/1.png')
    return r'val/1\.png has .* \(4, 12\), expected \(3, 12\)'


def garbage_image(src):
    (src / 'val/1.png').write_bytes(b'no image')
    return r'val/1\.png: not an image that can be decoded'


def truncated_label(src):
    path = src / 'valannot/1.png'
    path.write_bytes(path.read_bytes()[:50])
    return r'valannot/1\.png: not an image that can be decoded'


def image_alone(src):
    (src / 'valannot/1.png').unlink()
    return r'val image 1\.png has no label'


def label_alone(src):
    (src / 'train/0.png').unlink()
    return r'train label 0\.png has no image'


@pytest.mark.parametrize(
    'spoil',
    [
        value_12,
        colour_label,
        label_size,
        one_other_size,
        garbage_image,
        truncated_label,
        image_alone,
        label_alone,
    ],
)
def test_a_bad_segnet_file_is_named_and_nothing_is_left(segnet, spoil):
    assert_refused(segnet, ValueError, spoil(segnet))


def unknown_colour(src):
    path = src / 'LabeledApproved_full/0016E5_08190_L.png'
    label = read(path).copy()
    label[2, 7] = (255, 255, 255)
    label[2, 8] = (64, 64, 65)
    save(label, path)
    return (
        r'0016E5_08190_L\.png has the value \[255, 255, 255\] at x=7, '
        r'y=2 \(2 bad'
    )


def no_image(src):
    (src / '701_StillsRaw_full/0001TP_008520.png').unlink()
    return r'0001TP_008520_L\.png has no image'


def twice(src):
    save(np.zeros((3, 32, 3)), src / 'more/0001TP_008520.png')
    return 'two files for the frame 0001TP_008520'


def unknown_sequence(src):
    for path in list(src.rglob('0006R0*')):
        path.rename(path.with_name(path.name.replace('0006R0', '0007XX')))
    return r'0007XX_f00930_L\.png is of none of the sequences'


@pytest.mark.parametrize('spoil', [unknown_colour, no_image, twice, unknown_sequence])
def test_a_bad_original_file_is_named_and_nothing_is_left(original, spoil):
    assert_refused(original, ValueError, spoil(original))


def test_a_folder_of_neither_layout_is_refused(tmp_path):
    (tmp_path / 'src').mkdir()
    assert_refused(tmp_path / 'src', FileNotFoundError, 'neither layout')


@pytest.mark.parametrize('stop', [KeyboardInterrupt, OSError])
def test_stopped_half_way_nothing_is_left_and_the_old_result_stays(
    segnet, tmp_path, monkeypatch, stop
):
    dst = tmp_path / 'dst'
    (dst / 'old').mkdir(parents=True)
    calls = []

    def copyfile(*args):
        calls.append(args)
        if len(calls) == 4:
            raise stop('stopped')

    monkeypatch.setattr(camvid.shutil, 'copyfile', copyfile)
    with pytest.raises(stop):
        convert_camvid(segnet, dst, allow_partial=True, force=True)
    assert sorted(p.name for p in tmp_path.iterdir()) == ['dst', 'src']
    assert [p.name for p in dst.iterdir()] == ['old']


def test_the_old_result_comes_back_when_the_last_rename_fails(segnet, tmp_path, monkeypatch):
    dst = tmp_path / 'dst'
    (dst / 'old').mkdir(parents=True)
    rename = Path.rename

    def fail_on_part(self, target):
        if self.parent.name.startswith('.dst.part') and self.name == 'new':
            raise PermissionError('no')
        return rename(self, target)

    monkeypatch.setattr(Path, 'rename', fail_on_part)
    with pytest.raises(PermissionError):
        convert_camvid(segnet, dst, allow_partial=True, force=True)
    assert sorted(p.name for p in tmp_path.iterdir()) == ['dst', 'src']
    assert [p.name for p in dst.iterdir()] == ['old']


def test_content_is_replaced_only_when_asked(segnet, tmp_path):
    dst = tmp_path / 'dst'
    (dst / 'old').mkdir(parents=True)
    with pytest.raises(FileExistsError, match='dst is not empty'):
        convert_camvid(segnet, dst, allow_partial=True)
    assert [p.name for p in dst.iterdir()] == ['old']
    convert_camvid(segnet, dst, allow_partial=True, force=True)
    assert sorted(p.name for p in dst.iterdir()) == ['images', 'labels']
    assert sorted(p.name for p in tmp_path.iterdir()) == ['dst', 'src']


def test_force_never_removes_the_source(segnet, tmp_path):
    for dst in (segnet, tmp_path, segnet / 'train'):
        with pytest.raises(ValueError, match='must not lie in one another'):
            convert_camvid(segnet, dst, allow_partial=True, force=True)
    assert len(list(segnet.rglob('*.png'))) == 12


@pytest.fixture
def tool(call_tool):
    handler = signal.getsignal(signal.SIGTERM)
    yield partial(call_tool, 'dataset_converters/camvid.py')
    signal.signal(signal.SIGTERM, handler)


def test_tool_says_what_it_wrote(segnet, tmp_path, tool, capsys):
    assert not tool(segnet, tmp_path / 'dst', '--allow-partial')
    assert capsys.readouterr().out.endswith(f'{tmp_path / "dst"}: 3 train, 2 val, 1 test\n')


def test_tool_turns_ctrl_c_into_one_line(segnet, tmp_path, monkeypatch, tool):

    def interrupted(*args):
        os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(camvid.shutil, 'copyfile', interrupted)
    assert tool(segnet, tmp_path / 'dst', '--allow-partial') == (
        f'mmhires convert camvid: interrupted, {tmp_path / "dst"} is as it was'
    )
    assert [p.name for p in tmp_path.iterdir()] == ['src']


def test_tool_fails_with_one_plain_line_and_a_status(segnet, python, tmp_path):
    message = value_12(segnet)
    done = subprocess.run(
        [python, TOOL, segnet, tmp_path / 'dst', '--allow-partial'],
        env={**os.environ, 'PYTHONPATH': str(ROOT), 'PYTHONWARNINGS': 'ignore'},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    lines = done.stderr.splitlines()
    assert len(lines) == 1 and lines[0].startswith('mmhires convert camvid: ')
    with pytest.raises(ValueError, match=message):
        raise ValueError(lines[0])


@pytest.mark.slow
@pytest.mark.skipif(not SHARED.is_dir(), reason='needs ../shared/data/camvid')
def test_the_real_segnet_files_convert_exactly(tmp_path):
    dst = tmp_path / 'dst'
    counts = convert_camvid(SHARED, dst)
    # The test split is not there in every copy.
    assert counts.pop('test') in (0, 233)
    assert counts == dict(train=367, val=101)
    for split in counts:
        raw = {p.name: p for p in (SHARED / f'{split}annot').iterdir()}
        written = {p.name: p for p in (dst / f'labels/{split}').iterdir()}
        assert raw.keys() == written.keys()
        for name, path in raw.items():
            label = read(path)
            np.testing.assert_array_equal(read(written[name]), np.where(label == 11, 255, label))


@pytest.mark.skipif(not SHARED.is_dir(), reason='needs ../shared/data/camvid')
def test_the_split_rule_gives_segnets_published_lists():
    for split in ('train', 'val'):
        for line in (SHARED / f'{split}.txt').read_text().splitlines():
            path = Path(line.split()[0])
            assert camvid_layouts.split_of(path) == split

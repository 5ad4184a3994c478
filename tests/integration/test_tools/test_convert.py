# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
from functools import partial

import pytest
import torch
from mmengine.runner.checkpoint import load_checkpoint

from mmhires.converters import convert, dataset_meta
from mmhires.models.backbones import DDRNet
from mmhires.models.decode_heads import DAPPMHead


@pytest.fixture
def tool(call_tool):
    """Run the tool; an error or None."""
    return partial(call_tool, 'model_converters/convert.py')


@pytest.fixture(scope='module')
def net():
    """A DDRNet-23 of width 4, with its head."""
    return torch.nn.ModuleDict(
        dict(
            backbone=DDRNet(dict(channels=4, depths=(2, 2, 2, 2))),
            decode_head=DAPPMHead([16, 64], 8, num_classes=3),
        )
    )


@pytest.fixture
def published(net, tmp_path):
    """The authors' file of it."""
    path = tmp_path / 'published.pth'
    weights = convert(net.state_dict(), 'ddrnet', reverse=True)
    torch.save({f'model.{key}': value for key, value in weights.items()}, path)
    return path


def refused(tool, *args):
    error = tool(*args)
    assert '\n' not in error
    return error.removeprefix('mmhires convert checkpoint: ')


@pytest.mark.parametrize(
    'wrap',
    [
        lambda weights: weights,
        lambda weights: dict(state_dict=weights, epoch=3, best_mIoU=0.7),
        lambda weights: dict(model=weights, optimizer=dict(lr=0.1)),
    ],
    ids=['bare', 'state_dict', 'model'],
)
def test_any_file_of_the_authors_becomes_one_that_mmengine_loads(
    wrap, net, published, tool, capsys, tmp_path
):
    torch.save(wrap(torch.load(published)), published)
    dst = tmp_path / 'new/ours.pth'
    tool(published, dst, '--source', 'ddrnet')
    assert capsys.readouterr().out.endswith(
        f'{dst}: {len(net.state_dict())} tensors, from ddrnet\n'
    )
    torch.manual_seed(1)
    loaded = torch.nn.ModuleDict(
        dict(
            backbone=DDRNet(dict(channels=4, depths=(2, 2, 2, 2))),
            decode_head=DAPPMHead([16, 64], 8, num_classes=3),
        )
    )
    assert load_checkpoint(loaded, str(dst), strict=True)['meta'] == {}
    for key, value in net.state_dict().items():
        assert torch.equal(loaded.state_dict()[key], value), key


def test_the_names_of_a_dataset_are_kept(net, tool, tmp_path):
    weights = convert(net.state_dict(), 'mmseg-ddrnet', reverse=True)
    dataset = dict(classes=('a', 'b', 'c'), palette=[[0, 0, 0]] * 3)
    torch.save(
        dict(meta=dict(dataset_meta=dataset, cfg='model = 1'), state_dict=weights),
        tmp_path / 'theirs.pth',
    )
    tool(tmp_path / 'theirs.pth', tmp_path / 'ours.pth', '--source', 'mmseg-ddrnet')
    meta = torch.load(tmp_path / 'ours.pth')['meta']
    assert meta == dict(dataset_meta=dataset)


def test_reverse_gives_the_authors_names_back(net, published, tool, capsys, tmp_path):
    torch.save(net.state_dict(), tmp_path / 'ours.pth')
    tool(tmp_path / 'ours.pth', tmp_path / 'back.pth', '--source', 'ddrnet', '--reverse')
    assert 'tensors, to ddrnet' in capsys.readouterr().out
    back = torch.load(tmp_path / 'back.pth')['state_dict']
    expected = torch.load(published)
    assert {f'model.{key}' for key in back} == set(expected)
    assert all(torch.equal(value, expected[f'model.{key}']) for key, value in back.items())


def test_a_bad_file_is_one_line_that_names_it(published, tool, tmp_path):
    dst = tmp_path / 'ours.pth'
    message = refused(tool, tmp_path / 'none.pth', dst, '--source', 'ddrnet')
    assert 'none.pth' in message

    data = published.read_bytes()
    published.write_bytes(data[: len(data) // 2])
    message = refused(tool, published, dst, '--source', 'ddrnet')
    assert 'published.pth is not a checkpoint that can be read' in message

    torch.save([1, 2], published)
    message = refused(tool, published, dst, '--source', 'ddrnet')
    assert message.endswith('published.pth holds no state dict')
    assert not dst.exists()


def test_code_in_a_checkpoint_is_not_run(published, tool, tmp_path):

    class Evil:
        def __reduce__(self):
            return (tmp_path / 'evil').touch, ()

    torch.save(dict(state_dict={}, evil=Evil()), published)
    message = refused(tool, published, tmp_path / 'ours.pth', '--source', 'ddrnet')
    assert 'published.pth is not a checkpoint that can be read' in message
    assert not (tmp_path / 'evil').exists()


def test_a_wrong_source_leaves_the_old_result(published, tool, tmp_path):
    dst = tmp_path / 'ours.pth'
    dst.write_text('the old one')
    message = refused(tool, published, dst, '--source', 'mmseg-ddrnet')
    assert "weights of 'ddrnet', not of 'mmseg-ddrnet'" in message
    message = refused(tool, published, dst, '--source', 'fastfcn')
    assert message[0] != "'"
    message = refused(tool, published, dst, '--source', 'fastfcn', '--reverse')
    assert "unknown target 'fastfcn'; there are dabnet" in message
    assert dst.read_text() == 'the old one'


def test_a_half_written_file_does_not_replace_the_old_result(
    published, tool, tmp_path, monkeypatch
):
    dst = tmp_path / 'ours.pth'
    dst.write_text('the old one')

    def full_disk(content, file):
        file.write(b'half')
        raise OSError('No space left on device')

    monkeypatch.setattr(torch, 'save', full_disk)
    message = refused(tool, published, dst, '--source', 'ddrnet')
    assert message == 'No space left on device'
    assert dst.read_text() == 'the old one'
    assert sorted(p.name for p in tmp_path.iterdir()) == ['ours.pth', 'published.pth']


def test_published_network_gets_the_names_of_its_outputs(shared_dir, tool, capsys, tmp_path):
    tool(
        shared_dir / 'weights/espnetv2_s_0.5_city_512x256.pth',
        tmp_path / 'ours.pth',
        '--source',
        'espnetv2',
    )
    meta = torch.load(tmp_path / 'ours.pth')['meta']['dataset_meta']
    assert len(meta['classes']) == len(meta['palette']) == 20
    assert (meta['classes'][13], meta['classes'][19]) == ('car', 'background')
    assert (
        '20 classes, taken to be road, sidewalk, building ... background' in capsys.readouterr().out
    )


def test_unknown_number_of_classes_gets_no_names():
    weights = {'decode_head.conv_seg.weight': torch.empty(3, 4, 1, 1)}
    assert dataset_meta(weights) is None
    assert dataset_meta({'stem.0.weight': torch.empty(19)}) is None

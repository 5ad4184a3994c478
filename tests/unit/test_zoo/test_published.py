# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Every entry of ``configs/zoo.yml``, with weights of its source's keys."""

import dataclasses
import functools
import hashlib
import importlib.util
import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import cv2
import numpy as np
import pytest
import torch
import yaml
from mmengine.config import Config
from mmengine.registry import init_default_scope

from mmhires import list_models, load_model
from mmhires.cli import main
from mmhires.converters import SOURCES, convert, ddrnet_keys
from mmhires.datasets import CamVidDataset
from mmhires.registry import MODELS
from mmhires.zoo import published as module
from mmhires.zoo.published import cache_folder, config_folder, find, load_published, published

ENTRIES = published()
MODEL_NAMES = [name for name, entry in ENTRIES.items() if entry.config and not entry.file]
OWN_NAMES = [name for name, entry in ENTRIES.items() if entry.file]
BACKBONES = {  # the config that has the backbone
    'ddrnet-23-slim': 'ddrnet/ddrnet-23-slim_1xb12-38k_camvid-720x960.py',
    'ddrnet-23': 'ddrnet/ddrnet-23_1xb12-38k_camvid-720x960.py',
    'ddrnet-39': 'ddrnet/ddrnet-39_4xb3-120k_cityscapes-1024x1024.py',
    'resnet50s': 'fastfcn/fastfcn_encnet-r50-d32_4xb4-120e_ade20k-480x480.py',
    'resnet101s': 'fastfcn/fastfcn_encnet-r101-d32_4xb4-120e_ade20k-480x480.py',
    'espnetv2-s0.5': 'espnetv2/espnetv2-s0.5_1xb25-100e_cityscapes-256x512.py',
    'espnetv2-s1': 'espnetv2/espnetv2-s1_1xb25-100e_cityscapes-256x512.py',
    'espnetv2-s1.5': 'espnetv2/espnetv2-s1.5_1xb25-100e_cityscapes-256x512.py',
    'espnetv2-s2': 'dsrl/espnetv2-s2_1xb25-100e_cityscapes-256x512.py',
}
HOSTS = dict(MMSegmentation='mmseg', MMPose='mmpose')
# Names of the layers of a ResNet with a deep stem at timm and the authors.
RESNET = ((r'^stem\.7\.', 'bn1.'), (r'^stem\.', 'conv1.'))


def host_folder(package):
    return Path(importlib.util.find_spec(package).origin).parent / '.mim'


@functools.cache
def host_models(package):
    """Models of a host's metafiles by the path of their weights, whichever server has them."""
    files = host_folder(package).rglob('*.y*ml')
    contents = [yaml.safe_load(file.read_text()) for file in files]
    return {
        urlsplit(model['Weights']).path: model
        for content in contents
        if isinstance(content, dict)
        for model in content.get('Models', [])
        if 'Weights' in model
    }


def build(config):
    """The model of a config, without memory for its weights."""
    cfg = Config.fromfile(config)
    pytest.importorskip(cfg.default_scope)
    init_default_scope(cfg.default_scope)
    with torch.device('meta'):
        return MODELS.build(cfg.model)


def numbered(state_dict):
    """Tensors of these shapes, each full of its own number."""
    return {
        key: torch.full((), number, dtype=value.dtype).expand(value.shape)
        for number, (key, value) in enumerate(state_dict.items(), 1)
    }


def first_values(state_dict):
    return {key: float(value.flatten()[0]) for key, value in state_dict.items() if value.ndim}


def theirs(entry):
    """Weights as the publisher has them."""
    if entry.publisher in HOSTS:
        package = HOSTS[entry.publisher]
        pytest.importorskip(package)
        config = host_models(package)[urlsplit(entry.url).path]['Config']
        return build(host_folder(package) / config).state_dict()
    ours = build(config_folder() / entry.config).state_dict()
    return convert(ours, entry.converter, reverse=True)


def their_backbone(name, backbone):
    """Weights of ImageNet as the publisher has them."""
    ours = backbone.state_dict()
    if name.startswith('ddrnet'):
        rules = ddrnet_keys.authors(3) if '39' in name else ddrnet_keys.MMSEG
        weights = {ddrnet_keys.translate(k, rules): v for k, v in ours.items()}
        if '39' in name:
            weights['linear.weight'] = torch.empty(1000, 2048)
        else:  # has no biases there
            weights = {
                k: v for k, v in weights.items() if not re.fullmatch(r'stem\.[01]\.conv\.bias', k)
            }
        return weights
    if name.startswith('resnet'):
        return {ddrnet_keys.translate(key, RESNET): value for key, value in ours.items()} | {
            'fc.weight': torch.empty(1000, 2048)
        }
    config = build(config_folder() / BACKBONES[name.partition('_')[0]])
    weights = convert(config.state_dict(), 'espnetv2', reverse=True)
    weights = {
        key.removeprefix('base_net.'): value
        for key, value in weights.items()
        if key.startswith('base_net.')
    }
    return weights | {
        'level5_0.act.weight': torch.empty(1),
        'classifier.weight': torch.empty(1000, 1280),
    }


@pytest.fixture
def publish(monkeypatch, tmp_path):
    """Takes the place of the download of an entry."""

    def publish(content):
        torch.save(content, tmp_path / 'x.pth')
        monkeypatch.setattr(module, 'fetch', lambda *_: tmp_path / 'x.pth')
        monkeypatch.setattr(
            module,
            'published',
            lambda: {
                name: dataclasses.replace(entry, url=entry.url or 'by hand')
                for name, entry in ENTRIES.items()
            },
        )

    return publish


@pytest.mark.parametrize('name', MODEL_NAMES)
def test_converted_weights_are_all_of_the_config_and_named(name, publish):
    entry = ENTRIES[name]
    if name.startswith('hrnet'):
        pytest.importorskip('mmpose')
    model = build(config_folder() / entry.config)
    weights = numbered(theirs(entry))
    publish(dict(state_dict=weights, meta=dict(epoch=1)))
    content = load_published(name)
    shapes = {key: x.shape for key, x in model.state_dict().items()}
    assert {k: x.shape for k, x in content['state_dict'].items()} == shapes
    if entry.converter in SOURCES and SOURCES[entry.converter].two_way:
        back = convert(content['state_dict'], entry.converter, reverse=True)
        assert first_values(back) == first_values(weights)
    if not name.startswith('hrnet'):
        classes = content['meta']['dataset_meta']['classes']
        assert len(classes) == model.num_classes
        assert classes[:2] == ['road', 'sidewalk']


@pytest.mark.parametrize('name', [name for name, entry in ENTRIES.items() if not entry.config])
def test_backbone_takes_every_weight_by_init_cfg(name, publish):
    cfg = Config.fromfile(config_folder() / BACKBONES[name.removesuffix('_imagenet')])
    assert cfg.model.backbone.init_cfg == dict(type='Pretrained', checkpoint=f'mmhires://{name}')
    init_default_scope('mmseg')
    backbone = MODELS.build(cfg.model.backbone)
    publish(numbered(their_backbone(name, backbone)))
    backbone.init_weights()
    # MMSegmentation's stem has no biases; ours gets zeros
    assert all((x == x.flatten()[0]).all() for x in backbone.state_dict().values() if x.ndim)


def test_entries_have_an_address_a_hash_and_a_licence():
    for name, entry in ENTRIES.items():
        assert bool(entry.url) + bool(entry.page) + bool(entry.file) == 1, name
        assert re.fullmatch('([0-9a-f]{8}|[0-9a-f]{64})?', entry.sha256), name
        if len(entry.sha256) == 8:
            assert f'-{entry.sha256}' in entry.url, name
        assert entry.license in ('Apache-2.0', 'MIT'), name
        assert entry.converter in (None, *SOURCES), name
        if entry.config:
            assert (config_folder() / entry.config).is_file(), name


@pytest.mark.parametrize('publisher, package', HOSTS.items())
def test_addresses_and_metrics_are_those_of_the_hosts_metafiles(publisher, package):
    pytest.importorskip(package)
    for name in MODEL_NAMES:
        entry = ENTRIES[name]
        if entry.publisher == publisher:
            results = host_models(package)[urlsplit(entry.url).path]['Results']
            result = results[0] if isinstance(results, list) else results
            published = {k.split()[1]: v for k, v in entry.metrics.items()}
            assert published.items() <= result['Metrics'].items(), name


def test_hashes_are_those_of_the_files_that_are_here(shared_dir):
    files = {path.name: path for path in (shared_dir / 'weights').iterdir()}
    seen = 0
    for entry in ENTRIES.values():
        file = files.get(Path(entry.url or '').name)
        if file:
            seen += 1
            digest = hashlib.sha256(file.read_bytes()).hexdigest()
            assert entry.sha256 == digest, entry.name
    assert seen == 8


def test_table_names_publisher_licence_and_metric(capsys):
    names = list_models('ddrnet-23*_cityscapes')
    header, *rows = capsys.readouterr().out.splitlines()
    assert header.split() == ['name', 'weights', 'of', 'licence', 'results']
    rows = [row for row in rows if row[0] != ' ']
    assert [row.split()[0] for row in rows] == names
    assert 'ddrnet-23-slim_cityscapes' in names
    assert rows[0].split()[1:6] == ['MMSegmentation', 'Apache-2.0', 'Cityscapes', 'mIoU', '77.84,']
    list_models('hrnet-w32_coco*')
    assert capsys.readouterr().out.splitlines()[-1] == (
        'config: dsrl_pose/td-hm-hrnet-w32_8xb64-210e_coco-256x192.py'
    )


def test_table_fits_100_columns_and_cuts_nothing(capsys):
    names = list_models()
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 100
    words = ' '.join(lines).split()
    for name in names:
        entry = find(name)
        said = (
            name,
            entry.license,
            *entry.publisher.split(),
            *entry.results.replace(',', ' ').split(),
        )
        assert {word.strip(',') for word in words} >= set(said), name


@pytest.mark.parametrize('name', OWN_NAMES)
def test_weights_of_our_own_need_no_network_and_are_small(name, cache):
    entry = ENTRIES[name]
    file = config_folder() / entry.file
    assert file.stat().st_size < 2e6
    assert hashlib.sha256(file.read_bytes()).hexdigest() == entry.sha256
    assert 'measured here' in str(entry) and entry.command in str(entry)
    model = load_model(name, device='cpu')
    assert len(model.dataset_meta['classes']) == model.num_classes
    assert all(x.isfinite().all() for x in model.state_dict().values())
    assert not cache.exists()


@pytest.mark.parametrize('name', [n for n in OWN_NAMES if 'camvid' in n])
def test_networks_of_the_study_paint_a_street_offline(name, repo_root, tmp_path, cache):
    street = cv2.imread(str(repo_root / 'docs/images/street.jpg'))
    cv2.imwrite(str(tmp_path / 'street.png'), street)
    assert (
        main(
            [
                'paint',
                f'{tmp_path}/street.png',
                '--model',
                name,
                '--opacity',
                '1',
                '--device',
                'cpu',
                '--out-dir',
                f'{tmp_path}/out',
            ]
        )
        == 0
    )
    painted = cv2.imread(f'{tmp_path}/out/street.png')[..., ::-1]
    assert painted.shape == street.shape
    colors, counts = np.unique(painted.reshape(-1, 3), axis=0, return_counts=True)
    palette = CamVidDataset.METAINFO['palette']
    assert all(color in palette for color in colors.tolist())
    assert len(counts) > 3 and counts.max() < 0.9 * counts.sum()
    assert not cache.exists()


def test_a_damaged_file_of_our_own_is_not_used(monkeypatch):
    name = OWN_NAMES[0]
    entry = dataclasses.replace(ENTRIES[name], sha256='0' * 64)
    monkeypatch.setattr(module, 'published', lambda: {name: entry})
    with pytest.raises(ValueError, match='not the file of this release'):
        load_published(name)


def test_unknown_name_is_answered_with_the_nearest():
    with pytest.raises(ValueError, match='did you mean ddrnet-23-slim_city'):
        find('DDRNet-23slim_cityscape')


def test_file_that_only_a_person_can_get_is_taken_from_where_it_is_put(cache):
    name = 'dabnet_cityscapes'
    with pytest.raises(FileNotFoundError) as info:
        load_published(name)
    file = cache_folder() / f'{name}.pth'
    assert ENTRIES[name].page in str(info.value)
    assert str(file) in str(info.value)
    file.parent.mkdir(parents=True)
    weights = numbered(theirs(ENTRIES[name]))
    torch.save(dict(epoch=3, model=weights), file)
    assert len(load_published(name)['state_dict']) == len(weights)


@pytest.mark.parametrize('share', [0, 0.5])
def test_a_torn_file_without_a_hash_is_downloaded_again(
    share, cache, server, monkeypatch, tmp_path
):
    source = ENTRIES['dabnet_cityscapes']
    entry = dataclasses.replace(source, url=server.url('good', 'x.pth'))
    monkeypatch.setattr(module, 'published', lambda: {entry.name: entry})
    torch.save(numbered(theirs(source)), tmp_path / 'x.pth')
    content = (tmp_path / 'x.pth').read_bytes()
    server.files['x.pth'] = content
    cache.mkdir(parents=True)
    (cache / 'x.pth').write_bytes(content[: int(share * len(content))])
    assert load_published(entry.name)['state_dict']
    assert (cache / 'x.pth').read_bytes() == content
    assert len(server.asked) == 1


def test_unreadable_file_without_a_hash_is_deleted(cache, server, monkeypatch):
    entry = dataclasses.replace(ENTRIES['espnetv2-s2_imagenet'], url=server.url('cut', 'x.pth'))
    monkeypatch.setattr(module, 'published', lambda: {entry.name: entry})
    torch.save(dict(weight=torch.ones(99)), cache.parent.parent / 'x.pth')
    server.files['x.pth'] = (cache.parent.parent / 'x.pth').read_bytes()
    with pytest.raises(ValueError, match='the file is deleted'):
        load_published(entry.name)
    assert not (cache / 'x.pth').exists()


def test_importing_the_package_imports_nothing_heavy(repo_root):
    code = (
        'import sys, mmhires\n'
        'print([m for m in ("mmseg", "mmcv", "mmhires.zoo.published", "mmpose") '
        'if m in sys.modules])'
    )
    done = subprocess.run(
        [sys.executable, '-c', code], cwd=repo_root, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == '[]'

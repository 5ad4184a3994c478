# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""What the metafiles say of each config, against READMEs, zoo and models."""

import re
import runpy
from pathlib import Path

import pytest
import yaml
from mmengine.config import Config

from mmhires.analysis import build_model, count_macs, count_params
from mmhires.zoo.published import published

ROOT = Path(__file__).resolve().parents[2]
MODELS = {
    model['Name']: model
    for file in sorted((ROOT / 'configs').glob('*/metafile.yml'))
    for model in yaml.safe_load(file.read_text())['Models']
}
# By the type of a training dataset, its name in a metafile.
DATASETS = {
    'CityscapesDataset': 'Cityscapes',
    'mmhires.CamVidDataset': 'CamVid',
    'mmhires.StreetsDataset': 'Streets (drawn)',
    'PascalContextDataset': 'Pascal Context',
    'PascalContextDataset59': 'Pascal Context',
    'ADE20KDataset': 'ADE20K',
    'CocoDataset': 'COCO',
    'ImageNet': 'ImageNet-1k',
}


def lines_about(model):
    """Lines of its folder's README that link to a config."""
    text = (ROOT / model['Config']).with_name('README.md').read_text()
    return [line for line in text.splitlines() if f'({Path(model["Config"]).name})' in line]


def metrics(model):
    return [
        (result.get('Source'), str(value).removesuffix('.0'))
        for result in model['Results']
        for value in result.get('Metrics', {}).values()
    ]


@pytest.mark.parametrize('name', MODELS)
def test_every_number_is_beside_the_config_in_the_readme(name):
    lines = lines_about(MODELS[name])
    numbers = re.findall(
        r'\d+(?:\.\d+)?', ' '.join(re.sub(r'\([\w./+-]+\.py\)', '', line) for line in lines)
    )
    said = {f'{float(number):g}' for number in numbers}
    for source, value in metrics(MODELS[name]):
        assert source in ('published', 'measured', *published()), value
        if source in ('published', 'measured') and 'zero-shot' not in name:
            assert f'{float(value):g}' in said, value


@pytest.mark.parametrize('name', MODELS)
def test_every_result_of_a_table_is_in_the_metafile(name):
    # numbers of a row with two configs are the first one's
    rows = [
        line
        for line in lines_about(MODELS[name])
        if line.startswith('|') and f'[R101]({name}.py)' not in line
    ]
    assert not rows or metrics(MODELS[name])


def test_measured_results_have_the_command_that_prints_them():
    for name, model in MODELS.items():
        for result in model['Results']:
            command = result.get('Command', '')
            assert (f'{name}.py' in command) == (result.get('Source') == 'measured'), name


def test_mim_search_shows_every_number_and_whose_it_is(tmp_path):
    pytest.importorskip('mim')
    from mim.commands.search import convert2df
    from modelindex.load_model_index import load

    publishers = {name: entry.publisher.split()[-1] for name, entry in published().items()} | dict(
        published='paper'
    )
    shown = convert2df(load(str(ROOT / 'model-index.yml'))).T
    for name, model in MODELS.items():
        said = shown[name].dropna()
        assert sum('/' in key for key in said.index) == len(metrics(model))
        for result in model['Results']:
            for key, value in result.get('Metrics', {}).items():
                source = result['Source']
                whose = publishers.get(source, source)
                assert key.endswith(f' ({whose})'), (name, key)
                key = f'{result["Dataset"]}/{"_".join(key.split())}'
                assert said[key.lower()] == value, (name, key)


def test_published_weights_are_those_of_the_zoo():
    entries = [entry for entry in published().values() if entry.config]
    aliases = {alias for model in MODELS.values() for alias in model.get('Alias', ())}
    assert aliases == {entry.name for entry in entries}
    for entry in entries:
        model = MODELS[Path(entry.config).stem]
        assert entry.name in model['Alias']
        first = published()[model['Alias'][0]]
        assert model.get('Weights') == first.url
        assert model.get('License') == (first.license if first.url else None)
        (result,) = (r for r in model['Results'] if r['Source'] == entry.name)
        assert sorted(result['Metrics'].values()) == sorted(entry.metrics.values())


@pytest.mark.parametrize(
    'name',
    [
        'ddrnet-23-slim_1xb4-1500_camvid-360x480',
        'dsrl_espnetv2-s2_4xb6-12k_cityscapes-256x512-to-512x1024',
        'espnetv2-s2_zero-shot_camvid-360x480',
        'espnetv2-s1_1xb6-100e_cityscapes-512x1024',
        'fastfcn_encnet-r50-d32_4xb4-80e_pascal-context-59-480x480',
        'hrfr_deeplabv2-r18s-d8_1xb4-400_camvid-180x240-to-360x480',
        'deeplabv3plus-r18s-d16_1xb4-300_streets-96x192',
        'ddrnet-39_4xb64-100e_imagenet-224x224',
        'dsrl_td-hm-hrnet-w32_8xb64-210e_coco-128x96-to-256x192',
    ],
)
def test_costs_and_training_data_are_the_configs(name):
    config, said = ROOT / MODELS[name]['Config'], MODELS[name]['Metadata']
    cfg = Config.fromfile(config)
    pytest.importorskip(cfg.default_scope)
    if 'zero-shot' not in name:
        dataset = cfg.train_dataloader.dataset
        dataset = dataset.get('dataset', dataset)
        assert said['Training Data'] == DATASETS[dataset.type]
    size = [int(side) for side in said['Input Size'].split('x')]
    model = build_model(str(config), device='meta')
    assert said['FLOPs'] == count_macs(model, (3, *size))
    assert said['Parameters'] == count_params(model)[1]


def test_training_data_is_what_the_name_says_and_nothing_else():
    for name, model in MODELS.items():
        if 'zero-shot' in name:
            continue
        seen = model['Metadata']['Training Data']
        seen = [seen] if isinstance(seen, str) else seen
        words = {text.split()[0].split('-')[0].lower() for text in seen}
        assert all(word in name for word in words), name
        known = {'cityscapes', 'camvid', 'streets', 'pascal', 'ade20k', 'coco', 'imagenet', 'lspet'}
        assert words == {word for word in known if word in name}, name


def test_index_page_is_made_of_the_metafiles():
    script = runpy.run_path(str(ROOT / 'tests/maintenance/config_table.py'))
    page = script['PAGE'].read_text()
    first, last = script['MARKS']
    assert page.split(first)[1].split(last)[0] == script['table']()
    assert all(f'(../../{model["Config"]})' in page for model in MODELS.values())

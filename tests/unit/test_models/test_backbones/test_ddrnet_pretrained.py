# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
import http.server
import threading
from functools import partial

import pytest
import torch
from mmengine.config import ConfigDict
from mmengine.runner.checkpoint import load_checkpoint
from mmseg.models.backbones import DDRNet as MMSegDDRNet

from mmhires.converters import ddrnet_keys
from mmhires.models.backbones import DDRNet

# The depths of DDRNet-23, whose names the published checkpoints have.
SMALL = dict(channels=4, depths=(2, 2, 2, 2))
SMALL_39 = dict(channels=4, depths=(3, 4, 3, 3, 3))


def draw(module):
    """Let every tensor be another one than after initialisation."""
    with torch.no_grad():
        for tensor in module.state_dict().values():
            if tensor.dtype.is_floating_point:
                tensor.copy_(torch.rand(tensor.shape) + 0.5)
    return module.eval()


def rename(net, rules):
    return {ddrnet_keys.translate(key, rules): value for key, value in net.state_dict().items()}


def below(prefix, state_dict):
    return {prefix + key: value for key, value in state_dict.items()}


def load(path, arch=SMALL, **kwargs):
    net = DDRNet(arch, init_cfg=ConfigDict(type='Pretrained', checkpoint=str(path), **kwargs))
    net.init_weights()
    return net


def equal(net, other):
    mine, theirs = net.state_dict(), other.state_dict()
    return mine.keys() == theirs.keys() and all(torch.equal(mine[key], theirs[key]) for key in mine)


HEAD = {'decode_head.conv_seg.weight': torch.ones(1)}


@pytest.mark.parametrize('arch', [SMALL, SMALL_39])
@pytest.mark.parametrize(
    'layout',
    [
        lambda net: net.state_dict(),
        lambda net: dict(state_dict=net.state_dict()),
        lambda net: dict(state_dict=below('backbone.', net.state_dict()) | HEAD),
        lambda net: rename(net, ddrnet_keys.authors(len(net.low))),
        lambda net: dict(
            state_dict=below(
                'module.model.',
                rename(net, ddrnet_keys.authors(len(net.low)))
                | {'spp.scale0.0.weight': torch.ones(1), 'linear.weight': torch.ones(1)},
            )
            | {'module.loss.criterion.weight': torch.ones(1)}
        ),
    ],
    ids=['ours', 'our file', 'our segmentor', 'authors', 'wrapped authors'],
)
def test_takes_all_weights_from_any_file_of_ours_or_the_authors(arch, layout, tmp_path):
    net = draw(DDRNet(arch))
    torch.save(layout(net), tmp_path / 'net.pth')
    assert equal(load(tmp_path / 'net.pth', arch), net)


@pytest.mark.parametrize('prefix', ['', 'backbone.'])
def test_takes_mmseg_weights_and_predicts_as_they_do(prefix, tmp_path):
    theirs = draw(MMSegDDRNet(channels=4))
    torch.save(dict(state_dict=below(prefix, theirs.state_dict()) | HEAD), tmp_path / 'net.pth')
    net = load(tmp_path / 'net.pth').eval()
    context = []
    theirs.spp.register_forward_pre_hook(lambda module, inputs: context.append(inputs[0]))
    image = torch.randn(1, 3, 64, 128)
    with torch.no_grad():
        theirs(image)
        torch.testing.assert_close(net(image)[2], context[0])


def test_takes_a_file_by_its_address(tmp_path, monkeypatch):
    monkeypatch.setenv('TORCH_HOME', str(tmp_path / 'cache'))
    net = draw(DDRNet(SMALL))
    torch.save(net.state_dict(), tmp_path / 'net.pth')
    handler = partial(http.server.SimpleHTTPRequestHandler, directory=str(tmp_path))
    with http.server.ThreadingHTTPServer(('127.0.0.1', 0), handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        port = server.server_address[1]
        loaded = load(f'http://127.0.0.1:{port}/net.pth')
        server.shutdown()
    assert equal(loaded, net)


def test_prefix_chooses_among_several_networks(tmp_path):
    student, teacher = draw(DDRNet(SMALL)), draw(DDRNet(SMALL))
    torch.save(
        below('backbone.', student.state_dict()) | below('teacher.backbone.', teacher.state_dict()),
        tmp_path / 'net.pth',
    )
    loaded = load(tmp_path / 'net.pth', prefix='teacher.backbone.')
    assert equal(loaded, teacher)
    with pytest.raises(ValueError, match="no weights .* below 'other.'"):
        load(tmp_path / 'net.pth', prefix='other.')


def test_classification_form_passes_all_weights_on(tmp_path):
    net = draw(DDRNet(SMALL, final_stride=1))
    torch.save(below('backbone.', net.state_dict()), tmp_path / 'net.pth')
    assert equal(load(tmp_path / 'net.pth', prefix='backbone.'), net)


def test_a_list_of_init_cfg_may_hold_the_checkpoint(tmp_path):
    net = draw(DDRNet(SMALL))
    torch.save(net.state_dict(), tmp_path / 'net.pth')
    loaded = DDRNet(
        SMALL,
        init_cfg=[
            dict(type='Kaiming', layer='Conv2d'),
            dict(type='Pretrained', checkpoint=str(tmp_path / 'net.pth')),
        ],
    )
    loaded.init_weights()
    assert equal(loaded, net)


@pytest.mark.parametrize('layout', ['mmhires', 'authors'])
def test_weights_of_another_network_are_named(layout, tmp_path):
    net = DDRNet('39')
    weights = net.state_dict()
    if layout == 'authors':
        weights = rename(net, ddrnet_keys.authors(3))
    torch.save(weights, tmp_path / 'net.pth')
    with pytest.raises(
        ValueError,
        match='net.pth: these are weights of DDRNet-39, but the model has DDRNet-23-slim',
    ):
        load(tmp_path / 'net.pth', '23-slim')


@pytest.mark.parametrize('layout', ['mmhires', 'authors'])
def test_a_truncated_checkpoint_is_refused_with_what_is_missing(layout, tmp_path):
    net = DDRNet(SMALL)
    weights, key = net.state_dict(), 'high.1.0.conv2.bn.bias'
    if layout == 'authors':
        rules = ddrnet_keys.authors(2)
        weights, key = rename(net, rules), ddrnet_keys.translate(key, rules)
    del weights[key]
    torch.save(weights, tmp_path / 'net.pth')
    with pytest.raises(ValueError, match=rf'missing keys \(1\): {key}'):
        load(tmp_path / 'net.pth')


def test_a_block_too_many_is_refused(tmp_path):
    torch.save(DDRNet(dict(channels=4, depths=(2, 3, 2, 2))).state_dict(), tmp_path / 'net.pth')
    with pytest.raises(ValueError, match=r'unknown keys \(12\): layer2\.2\.'):
        load(tmp_path / 'net.pth')


def test_a_checkpoint_without_a_ddrnet_is_refused(tmp_path):
    torch.save({'layer1.0.conv1.weight': torch.ones(1)}, tmp_path / 'net.pth')
    with pytest.raises(ValueError, match='net.pth: no weights of a DDRNet'):
        load(tmp_path / 'net.pth')


def test_loading_without_strict_does_not_ignore_another_network(tmp_path):
    """As ``load_from`` and ``init_model`` load."""
    model = torch.nn.ModuleDict(dict(backbone=DDRNet(SMALL)))
    torch.save(below('backbone.', DDRNet(SMALL_39).state_dict()), tmp_path / 'net.pth')
    with pytest.raises(
        ValueError,
        match='weights of a DDRNet of width 4 with 3 fusions, but the '
        'model has a DDRNet of width 4 with 2 fusions',
    ):
        load_checkpoint(model, str(tmp_path / 'net.pth'))
    torch.save(below('backbone.', MMSegDDRNet(channels=4).state_dict()), tmp_path / 'net.pth')
    with pytest.raises(
        ValueError,
        match=r"'backbone\.\*' have the names of"
        ' mmseg; run tools/model_converters/convert.py',
    ):
        load_checkpoint(model, str(tmp_path / 'net.pth'))


def test_a_part_of_the_weights_loads_without_strict():
    net, other = draw(DDRNet(SMALL)), DDRNet(SMALL)
    stem = {key: value for key, value in net.state_dict().items() if key.startswith('stem.')}
    missing = other.load_state_dict(stem, strict=False).missing_keys
    assert not [key for key in missing if key.startswith('stem.')]
    assert torch.equal(other.stem[0].conv.weight, net.stem[0].conv.weight)

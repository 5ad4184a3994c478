# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
import pytest
import torch

from mmhires.compat import bf16_convolution
from mmhires.deploy import accelerate


@pytest.mark.parametrize('precision, backend, tolerance',
                         [('fp32', 'torch', 1e-4),
                          ('fp32', 'onnxruntime', 1e-4),
                          ('fp32', 'openvino', 1e-4), ('bf16', 'torch', 0.1)])
def test_accelerated_network_has_the_logits_of_the_model(
        precision, backend, tolerance, model_of):
    pytest.importorskip(backend)
    model = model_of('ddrnet')
    before = {name: p.clone() for name, p in model.state_dict().items()}
    x = torch.randn(1, 3, 96, 128)
    with torch.no_grad():
        want = model(x)
    got = accelerate(model, (96, 128), precision, backend)(x)
    assert got.dtype == torch.float32
    assert (got - want).abs().max() < tolerance * want.abs().max()
    after = model.state_dict()
    assert all((after[name] == p).all() for name, p in before.items())


@pytest.mark.parametrize('backend', ['torch', 'onnxruntime'])
def test_another_size_than_it_was_made_for_is_refused(backend, model_of):
    pytest.importorskip(backend)
    network = accelerate(model_of('ddrnet'), (64, 128), backend=backend)
    with pytest.raises(ValueError, match='for 64x128 pixels, got 96x128'):
        network(torch.zeros(1, 3, 96, 128))


def test_unknown_backend_is_refused(model_of):
    with pytest.raises(ValueError, match="got 'tvm'"):
        accelerate(model_of('dsrl'), (64, 64), backend='tvm')


def test_bf16_warns_where_this_processor_computes_a_map_of_it_wrongly(
        model_of, monkeypatch):
    monkeypatch.setattr(bf16_convolution, 'broken_width', lambda: 3)
    with pytest.warns(UserWarning, match='Conv2d of a map 2 pixels wide'):
        accelerate(model_of('ddrnet'), (96, 64), 'bf16', 'torch')

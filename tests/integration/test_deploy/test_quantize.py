# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
import cv2
import numpy as np
import pytest

from mmhires.deploy import Predictor, export
from mmhires.deploy.quantize import make_score, quantize
from mmhires.zoo import load_model

pytest.importorskip('onnxruntime')


@pytest.fixture(scope='module')
def floats(files_of, image, tmp_path_factory):
    """A DDRNet, its file and its pictures."""
    model = load_model(*files_of('ddrnet'), 'cpu')
    folder = tmp_path_factory.mktemp('int8')
    # Whoever has CamVid where the config looks has labels to score with.
    model.cfg.test_dataloader.dataset.data_root = str(folder)
    export(model, folder / 'm.onnx', [image])
    flipped = folder / 'flipped.png'
    cv2.imwrite(str(flipped), cv2.imread(str(image))[:, ::-1])
    return model, folder / 'm.onnx', [image, flipped]


@pytest.fixture(scope='module')
def int8(floats):
    """All of its layers in int8, whatever that does."""
    model, file, pictures = floats
    out = file.with_name('int8.onnx')
    name, score = make_score(model, pictures, 2)
    return out, name, quantize(file, out, pictures, score, limit=100)


@pytest.mark.slow
def test_int8_file_is_small_and_near_what_it_was_made_of(floats, int8):
    _, file, pictures = floats
    out, name, found = int8
    assert name == 'agreement' and found.before > 99.9 and not found.kept
    assert out.stat().st_size < 0.4 * file.stat().st_size
    want, got = Predictor(file)(pictures[0]), Predictor(out)(pictures[0])
    assert 0.8 < (got == want).mean() < 1
    assert (
        abs(
            found.after
            - 100
            * np.mean(
                [
                    (
                        Predictor(out, runtime='onnxruntime')(picture) == Predictor(file)(picture)
                    ).mean()
                    for picture in pictures
                ]
            )
        )
        < 0.1
    )


@pytest.mark.slow
def test_openvino_reads_the_int8_file(floats, int8):
    pytest.importorskip('openvino')
    _, _, pictures = floats
    got, want = (
        Predictor(int8[0], runtime=runtime)(pictures[0]) for runtime in ('openvino', 'onnxruntime')
    )
    assert (got == want).mean() > 0.8


@pytest.mark.slow
def test_layers_that_disturb_most_stay_in_float(floats, tmp_path):
    _, file, pictures = floats
    scores = iter([90, 80, 89.8])  # float, all in int8, with some in float
    found = quantize(file, tmp_path / 'm.onnx', pictures[:1], lambda predictor: next(scores))
    assert found.before == 90 and found.after == 89.8
    import onnx

    nodes = {node.name: node for node in onnx.load(tmp_path / 'm.onnx').graph.node}
    made = {name: node.op_type for node in nodes.values() for name in node.output}
    convs = [node for node in nodes.values() if node.op_type == 'Conv']
    assert 0 < len(found.kept) < 0.1 * len(convs)
    for node in convs:
        # a weight in int8 is dequantized before it is used
        is_float = made.get(node.input[1]) != 'DequantizeLinear'
        assert is_float == (node.name in found.kept)


def test_nothing_is_written_when_the_score_falls_whatever_is_kept(floats, tmp_path, monkeypatch):
    _, file, pictures = floats
    scores = iter([90, 80])
    monkeypatch.setattr('mmhires.deploy.quantize.SHARES', (0,))
    with pytest.raises(ValueError, match='not written: .* from 90.00 to 80'):
        quantize(file, tmp_path / 'm.onnx', pictures[:1], lambda predictor: next(scores))
    with pytest.raises(ValueError, match='needs pictures'):
        quantize(file, tmp_path / 'm.onnx', [], lambda predictor: 0)
    assert not list(tmp_path.iterdir())

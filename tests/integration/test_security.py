# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""SECURITY.md: every line of its lists is tried."""

import functools
import io
import json
import os
import pickle
import re
import runpy
import struct
import sys
import threading
import zipfile
import zlib
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.model import BaseModel, BaseModule
from mmengine.runner import CheckpointLoader, Runner
from torch import nn
from torch.utils.data import Dataset

from mmhires.compat import checkpoint_globals
from mmhires.compat.onedl import installed_fork
from mmhires.utils.files import open_whole

CLAIMS = {}
# A line of a config; with an import statement it would be a lazy config.
CODE = '__import__("os").makedirs({!r}, exist_ok=True)\n'
DEMO = 'configs/demo/deeplabv3plus-r18s_1xb4-400_streets-96x192.py'


def holds(start):
    """Say which line of the page a test tries."""

    def mark(test):
        CLAIMS[start] = test
        return test

    return mark


def test_every_line_of_the_page_has_its_test(repo_root):
    text = (repo_root / 'SECURITY.md').read_text()
    lines = [re.sub(r'\s+', ' ', line) for line in re.findall(r'^- (.*(?:\n  .*)*)', text, re.M)]
    tried = {line: [c for c in CLAIMS if line.startswith(c)] for line in lines}
    assert [line for line, claims in tried.items() if len(claims) != 1] == []
    assert len(CLAIMS) == len(lines)


class Payload:
    """Makes a folder when it is unpickled."""

    def __init__(self, folder):
        self.folder = str(folder)

    def __reduce__(self):
        return os.mkdir, (self.folder,)


@pytest.fixture
def ran(tmp_path):
    """The folder that code in a file makes."""
    return tmp_path / 'code-ran'


@pytest.fixture(params=['zip', 'legacy', 'pickle'])
def checkpoint(request, tmp_path, ran):
    """A checkpoint with code in it, in every format of PyTorch."""
    path = tmp_path / 'payload.pth'
    content = dict(state_dict={'weight': torch.zeros(1, 1)}, extra=Payload(ran))
    if request.param == 'pickle':
        path.write_bytes(pickle.dumps(content))
    else:
        torch.save(content, path, _use_new_zipfile_serialization=request.param == 'zip')
    return str(path)


def run_tool(call_tool, path, *args):
    error = call_tool(path.removeprefix('tools/'), *args)
    if error:
        raise ValueError(error)


# Configs


@holds('A `.py` config is a program')
def test_a_py_config_runs_its_code(tmp_path, ran):
    (tmp_path / 'c.py').write_text(CODE.format(str(ran)))
    Config.fromfile(tmp_path / 'c.py')
    assert ran.exists()


@holds('A `.yml` config can run code too')
def test_a_yml_config_runs_its_code(tmp_path, ran):
    (tmp_path / 'c.yml').write_text(
        f'a: !!python/object/apply:os.makedirs\n  kwds: {{name: "{ran}", exist_ok: true}}\n'
    )
    Config.fromfile(tmp_path / 'c.yml')
    assert ran.exists()


@holds('A config that runs nothing itself')
def test_a_json_config_has_a_module_imported(tmp_path, ran, monkeypatch):
    (tmp_path / 'planted_module.py').write_text(CODE.format(str(ran)))
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / 'c.json').write_text(
        json.dumps(dict(custom_imports=dict(imports=['planted_module'])))
    )
    Config.fromfile(tmp_path / 'c.json')
    assert ran.exists()


@holds('`mmhires check` and')
@pytest.mark.parametrize('module', ['check', 'adapt'])
def test_check_and_adapt_run_the_code_of_a_config(module, tmp_path, ran, monkeypatch):
    config = tmp_path / 'c.py'
    config.write_text(CODE.format(str(ran)))
    args = ['dsrl'] if module == 'adapt' else []
    monkeypatch.setattr(sys, 'argv', [module, *args, str(config)])
    with pytest.raises((Exception, SystemExit)):
        runpy.run_module(f'mmhires.{module}', run_name='__main__')
    assert ran.exists()


# Checkpoints


class Line(BaseModel):
    """The smallest model that a runner trains."""

    def __init__(self):
        super().__init__()
        self.line = nn.Linear(1, 1)

    def forward(self, x, mode='tensor'):
        return dict(loss=self.line(x).mean())


class Ones(Dataset):
    def __len__(self):
        return 2

    def __getitem__(self, index):
        return torch.ones(1)


def runner(work_dir, **kwargs):
    return Runner(
        Line(),
        str(work_dir),
        train_dataloader=dict(
            batch_size=1, dataset=Ones(), sampler=dict(type='DefaultSampler', shuffle=False)
        ),
        train_cfg=dict(by_epoch=True, max_epochs=1),
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.0)),
        default_scope='mmengine',
        experiment_name=str(work_dir).replace('/', '_'),
        **kwargs,
    )


def by_load_from(path, tmp_path, **_):
    runner(tmp_path / 'run', load_from=path).train()


def by_resume(path, tmp_path, **_):
    runner(tmp_path / 'run', load_from=path, resume=True).train()


def by_last_checkpoint(path, tmp_path, **_):
    (tmp_path / 'run').mkdir()
    (tmp_path / 'run/last_checkpoint').write_text(path)
    runner(
        tmp_path / 'run',
        resume=True,
        default_hooks=dict(checkpoint=dict(type='mmhires.AtomicCheckpointHook')),
    ).train()


def by_init_cfg(path, **_):
    BaseModule(dict(type='Pretrained', checkpoint=path)).init_weights()


def by_init_cfg_of_ddrnet(path, **_):
    from mmhires.converters.ddrnet_keys import load_pretrained

    load_pretrained(nn.Linear(1, 1), path)


def by_teacher_ckpt(path, **_):
    from mmhires.models.distillation.teacher import build_teacher

    build_teacher('test', dict(type='mmhires.FALoss'), path)


def by_load_model(path, repo_root, **_):
    from mmhires import load_model

    load_model(repo_root / DEMO, path, 'cpu')


def by_check(path, **_):
    from mmhires.check.context import Context
    from mmhires.check.rules.checkpoints import findings

    cfg = dict(default_scope='mmseg', load_from=path, model={})
    raise ValueError(str(list(findings(Context(Config(cfg))))))


def by_convert(path, call_tool, tmp_path, **_):
    run_tool(
        call_tool,
        'tools/model_converters/convert.py',
        path,
        tmp_path / 'out.pth',
        '--source',
        'ddrnet',
    )


def by_extract_student(path, repo_root, call_tool, tmp_path, **_):
    run_tool(
        call_tool,
        'tools/model_converters/extract_student.py',
        repo_root / DEMO,
        path,
        tmp_path / 'out.pth',
    )


def by_map_classes(path, repo_root, call_tool, tmp_path, **_):
    run_tool(
        call_tool,
        'tools/model_converters/map_classes.py',
        path,
        tmp_path / 'out.pth',
        '--class-map',
        repo_root / 'configs/_base_/class_maps/cityscapes_to_camvid.py',
        '--dataset',
        'mmhires.CamVidDataset',
    )


@holds('A checkpoint with code in it is refused')
@pytest.mark.parametrize(
    'load',
    [
        by_load_from,
        by_resume,
        by_init_cfg,
        by_init_cfg_of_ddrnet,
        by_teacher_ckpt,
        by_load_model,
        by_check,
        by_convert,
        by_extract_student,
        by_map_classes,
    ],
)
def test_code_in_a_checkpoint_is_refused_and_not_run(
    load, checkpoint, ran, repo_root, monkeypatch, call_tool, tmp_path
):
    with pytest.raises(
        (pickle.UnpicklingError, ValueError, SystemExit),
        match='(?i)weights.only|Unsupported|mkdir|safely',
    ):
        load(
            checkpoint,
            repo_root=repo_root,
            monkeypatch=monkeypatch,
            call_tool=call_tool,
            tmp_path=tmp_path,
        )
    assert not ran.exists()
    assert not (tmp_path / 'out.pth').exists()


@pytest.fixture
def served(tmp_path, monkeypatch):
    """The address of the files of the folder."""
    for name in ('http_proxy', 'HTTP_PROXY', 'all_proxy', 'ALL_PROXY'):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv('TORCH_HOME', str(tmp_path / 'torch'))
    monkeypatch.setenv('MMHIRES_HOME', str(tmp_path / 'home'))

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *args):
            pass

    server = ThreadingHTTPServer(
        ('127.0.0.1', 0), functools.partial(Quiet, directory=str(tmp_path))
    )
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield f'http://127.0.0.1:{server.server_port}'
    server.shutdown()
    server.server_close()


@holds('So is one at a web address')
def test_code_in_a_checkpoint_of_a_web_address_is_not_run(checkpoint, served, ran):
    with pytest.raises(pickle.UnpicklingError, match='(?i)weights.only'):
        CheckpointLoader.load_checkpoint(f'{served}/payload.pth', 'cpu')
    assert not ran.exists()


@holds('Beside tensors a checkpoint may hold')
def test_a_checkpoint_holds_histories_and_plain_arrays_only(tmp_path):
    path = tmp_path / 'x.pth'
    torch.save(dict(a=np.arange(3), b=np.float64(1)), path)
    assert torch.load(path)['a'].tolist() == [0, 1, 2]
    torch.save(dict(a=np.array([object, 1])), path)
    with pytest.raises((pickle.UnpicklingError, ValueError)):
        torch.load(path)


@holds('Nothing of this holds with')
@pytest.mark.parametrize('checkpoint', ['zip', 'legacy'], indirect=True)
def test_what_turns_the_protection_off(checkpoint, ran, monkeypatch):
    monkeypatch.setenv('TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD', '1')
    if installed_fork('mmengine'):  # it asks for weights alone, whatever PyTorch's default
        with pytest.raises(pickle.UnpicklingError):
            CheckpointLoader.load_checkpoint(checkpoint, 'cpu')
        assert not ran.exists()
    else:
        CheckpointLoader.load_checkpoint(checkpoint, 'cpu')
        assert ran.exists()
    monkeypatch.setattr(torch, '__version__', type(torch.__version__)('2.5.1'))
    installed, why = checkpoint_globals.install()
    assert not installed and 'does not check' in why


@holds('Whether weights are those that you think')
def test_weights_are_taken_that_fit(tmp_path):
    model = Line()
    torch.save(
        dict(state_dict={'line.weight': torch.full((1, 1), 7.0), 'line.bias': torch.zeros(1)}),
        tmp_path / 'x.pth',
    )
    run = runner(tmp_path / 'run', load_from=str(tmp_path / 'x.pth'))
    run.train()
    assert run.model.line.weight == 7 != model.line.weight


# Exported files


def onnx_file(path, metadata=(), location=None):
    onnx = pytest.importorskip('onnx')
    helper, tensor = onnx.helper, onnx.TensorProto()
    tensor.name, tensor.data_type = 'w', onnx.TensorProto.FLOAT
    tensor.dims.extend([4])
    if location:
        tensor.data_location = onnx.TensorProto.EXTERNAL
        for key, value in dict(location=location, offset='0', length='16').items():
            tensor.external_data.add(key=key, value=value)
    else:
        tensor.raw_data = bytes(16)
    image, out = (
        helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [4])
        for name in ('image', 'out')
    )
    model = helper.make_model(
        helper.make_graph(
            [helper.make_node('Add', ['image', 'w'], ['out'])], 'g', [image], [out], [tensor]
        ),
        opset_imports=[helper.make_opsetid('', 17)],
    )
    model.ir_version = 8
    for key, value in dict(metadata).items():
        model.metadata_props.add(key=key, value=value)
    path.write_bytes(model.SerializeToString())


ENGINES = pytest.mark.parametrize('runtime', ['onnxruntime', 'openvino'])


@holds('Opening one runs no Python')
@ENGINES
def test_what_an_onnx_file_says_of_itself_is_not_run(runtime, tmp_path, ran):
    pytest.importorskip(runtime)
    from mmhires.deploy import Predictor

    code = CODE.format(str(ran))
    onnx_file(
        tmp_path / 'x.onnx',
        dict(
            task=json.dumps(code),
            classes=code,
            palette=code,
            loading=json.dumps(dict(backend=code)),
        ),
    )
    with pytest.raises(ValueError, match='x.onnx'):
        Predictor(tmp_path / 'x.onnx', runtime=runtime)
    assert not ran.exists()


@holds('Weights in further files')
@ENGINES
@pytest.mark.parametrize('where', ['up', 'root', 'link', 'beside'])
def test_an_onnx_file_reads_its_own_folder_alone(runtime, where, tmp_path):
    pytest.importorskip(runtime)
    from mmhires.deploy import Predictor

    (tmp_path / 'own').mkdir()
    for path in (tmp_path / 'secret.bin', tmp_path / 'own/beside.bin'):
        path.write_bytes(bytes(16))
    (tmp_path / 'own/link.bin').symlink_to(tmp_path / 'secret.bin')
    location = dict(up='../secret.bin', root=str(tmp_path / 'secret.bin')).get(
        where, f'{where}.bin'
    )
    onnx_file(tmp_path / 'own/x.onnx', location=location)
    with pytest.raises(ValueError) as error:
        Predictor(tmp_path / 'own/x.onnx', runtime=runtime)
    # What it could read is only not one of ours.
    assert ('was not exported by mmhires' in str(error.value)) == (where == 'beside')


@holds('How much memory and time')
def test_a_small_onnx_file_asks_for_much_memory():
    onnx = pytest.importorskip('onnx')
    onnxruntime = pytest.importorskip('onnxruntime')
    helper = onnx.helper
    nodes = [
        helper.make_node(
            'ConstantOfShape',
            ['size'],
            ['out'],
            value=helper.make_tensor('v', onnx.TensorProto.UINT8, [1], [0]),
        )
    ]
    model = helper.make_model(
        helper.make_graph(
            nodes,
            'g',
            [],
            [helper.make_tensor_value_info('out', onnx.TensorProto.UINT8, None)],
            [helper.make_tensor('size', onnx.TensorProto.INT64, [1], [2**26])],
        ),
        opset_imports=[helper.make_opsetid('', 17)],
    )
    model.ir_version = 8
    content = model.SerializeToString()
    assert len(content) < 200
    (out,) = onnxruntime.InferenceSession(content).run(None, {})
    assert out.nbytes == 2**26


@holds('A file with Python objects in it')
@pytest.mark.parametrize('layout', ['of now', 'of PyTorch 2.6'])
def test_python_objects_in_a_pt2_file_are_not_run(layout, tmp_path, ran):
    from mmhires.deploy import Predictor

    payload = io.BytesIO()
    torch.save(Payload(ran), payload)
    path = tmp_path / 'x.pt2'
    if layout == 'of now':
        whole = tmp_path / 'whole.pt2'
        program = torch.export.export(nn.Linear(4, 4), (torch.zeros(1, 4),), strict=False)
        torch.export.save(program, whole)
        with zipfile.ZipFile(whole) as source:
            members = {name: source.read(name) for name in source.namelist()}
        planted = [name for name in members if name.endswith('.pt')]
        assert planted
        members.update(dict.fromkeys(planted, payload.getvalue()))
    else:
        members = dict.fromkeys(
            ('serialized_state_dict.pt', 'serialized_constants.pt', 'serialized_example_inputs.pt'),
            payload.getvalue(),
        )
        members.update({'version': b'8.1', 'serialized_exported_program.json': b'{}'})
    with zipfile.ZipFile(path, 'w') as target:
        for name, content in members.items():
            target.writestr(name, content)
    with pytest.raises(ValueError, match='x.pt2'):
        Predictor(path)
    assert not ran.exists()


# The zoo


def entry_of(monkeypatch, url, sha256):
    from mmhires.zoo import published
    from mmhires.zoo.published import Published

    entry = Published(
        'planted',
        config=None,
        url=url,
        sha256=sha256,
        converter='ddrnet',
        publisher='x',
        license='x',
    )
    monkeypatch.setattr(published, 'find', lambda name: entry)
    return published.load_published


@holds('A download whose hash is not')
def test_a_download_of_another_hash_is_not_kept(served, tmp_path, monkeypatch):
    (tmp_path / 'x.pth').write_bytes(b'other than published')
    load = entry_of(monkeypatch, f'{served}/x.pth', 'ab' * 32)
    with pytest.raises(ValueError, match='another file than was published'):
        load('planted')
    assert not list((tmp_path / 'home').rglob('x.pth'))


@holds('Of some only the first eight digits')
def test_short_hashes_are_no_proof(tmp_path):
    from mmhires.zoo.download import is_intact
    from mmhires.zoo.published import published

    assert any(len(entry.sha256) == 8 for entry in published().values())
    (tmp_path / 'x').write_bytes(b'content')
    assert is_intact(tmp_path / 'x', 'ed7002b4')  # of 64 digits
    assert not is_intact(tmp_path / 'x', 'ed7002b5')


@holds('Some weights were published without a hash')
def test_weights_without_a_hash_are_taken_without_code(
    checkpoint, served, tmp_path, ran, monkeypatch
):
    from mmhires.zoo.published import published

    assert any(not entry.sha256 for entry in published().values())
    load = entry_of(monkeypatch, f'{served}/payload.pth', '')
    with pytest.raises(ValueError, match='(?i)safely'):
        load('planted')
    assert not ran.exists()
    torch.save(dict(state_dict={}), tmp_path / 'payload.pth')
    with pytest.raises(ValueError, match='planted'):
        load('planted')


@holds('A download stays in the folder')
@pytest.mark.parametrize(
    'path', ['a/../../../x.pth', '%2e%2e/x.pth', 'a\\..\\x.pth', '..', 'x.pth?y=../../z']
)
def test_a_download_stays_in_the_cache(path, tmp_path, monkeypatch):
    from mmhires.zoo.download import cache_folder, cached_file

    monkeypatch.setenv('MMHIRES_HOME', str(tmp_path))
    file = cached_file(f'http://x/{path}')
    inside = os.path.realpath(file).startswith(os.path.realpath(cache_folder()) + os.sep)
    assert inside or path == '..'


# Data sets


def png_of(width, height):
    """A PNG of some hundred bytes that declares any size."""

    def chunk(kind, content):
        return (
            struct.pack('>I', len(content))
            + kind
            + content
            + struct.pack('>I', zlib.crc32(kind + content))
        )

    header = struct.pack('>IIBBBBB', width, height, 8, 0, 0, 0, 0)
    return (
        b'\x89PNG\r\n\x1a\n'
        + chunk(b'IHDR', header)
        + chunk(b'IDAT', zlib.compress(bytes(1000)))
        + chunk(b'IEND', b'')
    )


@holds('Pictures are decoded by')
def test_pictures_that_declare_too_many_pixels_are_refused(tmp_path):
    from mmseg.datasets.transforms import LoadAnnotations

    from mmhires.utils.images import read_image

    path = tmp_path / 'x.png'
    path.write_bytes(png_of(2**15 + 1, 2**15))
    with pytest.raises(ValueError, match='not an image'):
        read_image(path)
    path.write_bytes(png_of(13378, 13377))  # 178 957 506 pixels
    results = dict(seg_map_path=str(path), reduce_zero_label=False, label_map=None, seg_fields=[])
    with pytest.raises(Exception, match='decompression bomb'):
        LoadAnnotations()(results)


def dataset(tmp_path, ann_file):
    from mmhires.registry import DATASETS

    return DATASETS.build(
        dict(
            type='mmhires.CheckedSegDataset',
            data_root=str(tmp_path / 'data'),
            ann_file=ann_file,
            data_prefix=dict(img_path='', seg_map_path=''),
            img_suffix='.png',
            metainfo=dict(classes=('a', 'b')),
            pipeline=[dict(type='LoadImageFromFile'), dict(type='LoadAnnotations')],
        )
    )


@holds('A list of images')
def test_a_list_of_images_is_text(tmp_path, ran):
    (tmp_path / 'data').mkdir()
    (tmp_path / 'data/val.pkl').write_bytes(pickle.dumps(Payload(ran), protocol=0))
    assert len(dataset(tmp_path, 'val.pkl'))
    assert not ran.exists()


@holds('It can name any file')
def test_a_list_of_images_can_leave_the_data_set(tmp_path):
    (tmp_path / 'data').mkdir()
    cv2.imwrite(str(tmp_path / 'outside.png'), np.zeros((4, 4, 3), np.uint8))
    (tmp_path / 'secret.png').write_text('no picture')
    (tmp_path / 'data/val.txt').write_text('../outside\n../secret\n')
    found = dataset(tmp_path, 'val.txt')
    assert found.get_data_info(0)['img_path'].endswith('../outside.png')
    with pytest.raises(ValueError, match=r'cannot read .*\.\./secret.png'):
        found[1]


@holds('Annotations in `.pkl` files')
def test_pickled_annotations_run_code(tmp_path, ran):
    from mmengine.dataset import BaseDataset

    (tmp_path / 'val.pkl').write_bytes(pickle.dumps(Payload(ran)))
    with pytest.raises((TypeError, ValueError)):
        BaseDataset(ann_file=str(tmp_path / 'val.pkl'))
    assert ran.exists()


# Work directories


@holds('Results that are read back')
def test_results_read_back_run_nothing(tmp_path, ran, call_tool, caplog):
    from mmhires.analysis.provenance import fits

    path = tmp_path / 'metrics.json'
    for file in (path, tmp_path / 'metrics.json.of', tmp_path / 'r.pkl'):
        file.write_bytes(pickle.dumps(Payload(ran), protocol=0))
    assert not fits(str(path), {})
    with pytest.raises(ValueError, match='--from .*r.pkl'):
        run_tool(call_tool, 'tools/analysis_tools/compare_configs.py', '--from', tmp_path / 'r.pkl')
    assert not ran.exists()


@holds('Checkpoints found there')
def test_a_planted_last_checkpoint_does_not_run_its_code(checkpoint, ran, tmp_path):
    with pytest.raises((pickle.UnpicklingError, FileNotFoundError)):
        by_last_checkpoint(checkpoint, tmp_path)
    assert not ran.exists()


@holds('Whoever can write there can forge')
def test_what_a_file_is_of_is_not_signed(tmp_path):
    from mmhires.analysis.provenance import fits, keep

    path = tmp_path / 'metrics.json'
    path.write_text('{"mIoU": 99}')
    keep(str(path), dict(seed=0))
    assert fits(str(path), dict(seed=0))


@holds('A link instead of a result')
def test_links_are_followed_and_temporary_names_are_not_foreseen(tmp_path):
    mine, link = tmp_path / 'mine.txt', tmp_path / 'metrics.json'
    mine.write_text('mine')
    link.symlink_to(mine)
    names = set()
    for number in range(3):
        with open_whole(link) as file:
            file.write(str(number))
            names |= {path.name for path in tmp_path.iterdir()}
    assert mine.read_text() == '2' and link.is_symlink()
    assert len(names - {'mine.txt', 'metrics.json'}) == 3


@holds('A config kept there is a config')
def test_a_config_in_a_work_dir_runs_when_it_is_opened(tmp_path, ran):
    from mmhires.analysis.folders import claim

    (tmp_path / 'config.py').write_text(CODE.format(str(ran)))
    claim(str(tmp_path), dict(seed=0))
    assert not ran.exists()
    Config.fromfile(tmp_path / 'config.py')
    assert ran.exists()

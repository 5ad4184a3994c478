# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""A small model of each method, with weights that tell classes apart."""

import cv2
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from torch import nn

from mmhires import load_model
from mmhires.datasets import StreetsDataset
from mmhires.deploy import export
from mmhires.models.recording import head_of
from mmhires.registry import MODELS

CONFIGS = dict(
    dsrl='dsrl/dsrl_deeplabv3plus-r18s-d16_1xb4-300_streets-96x192-to-192x384.py',
    dsrl_bisenet='dsrl/dsrl_bisenet-r18-d32_1xb12-20k_camvid-368x480-to-736x960.py',
    dsrl_dabnet='dsrl/dsrl_dabnet_4xb2-80k_cityscapes-512x1024-to-1024x2048.py',
    dsrl_espnetv2='research/dsrl_espnetv2-s2_1xb4-400_camvid-180x240-to-360x480.py',
    dsrl_pspnet='dsrl/dsrl_pspnet-r101-d16_4xb2-80k_cityscapes-512x1024-to-1024x2048.py',
    hrfr='research/hrfr_deeplabv2-r18s-d8_1xb4-400_camvid-180x240-to-360x480.py',
    fastfcn='research/fastfcn_encnet-r18s-d32_1xb4-2500_camvid-360x480.py',
    ddrnet='research/ddrnet-23-slim_1xb4-1500_camvid-360x480.py',
    guided='research/guided_deeplabv3plus-r18s_1xb4-400_streets-96x192-to-192x384.py',
    pose='research/dsrl_td-hm-r18s_1xb12-300e_coco-sample-128x96-to-256x192.py',
)
JPU = dict(in_channels=256, channels=64, num_classes=11)
SIMCC = dict(
    _delete_=True,
    type='SimCCHead',
    in_channels=256,
    out_channels=17,
    input_size=(192, 256),
    in_featuremap_size=(3, 4),
    deconv_out_channels=None,
    decoder=dict(type='SimCCLabel', input_size=(192, 256), sigma=6.0),
)
RTMCC = dict(
    {key: value for key, value in SIMCC.items() if 'deconv' not in key},
    type='RTMCCHead',
    final_layer_kernel_size=7,
    gau_cfg=dict(
        hidden_dims=32,
        s=16,
        expansion_factor=2,
        dropout_rate=0.0,
        drop_path=0.0,
        act_fn='SiLU',
        use_rel_bias=False,
        pos_enc=False,
    ),
    loss=dict(type='KLDiscretLoss', beta=10.0, label_softmax=True),
)
# By name the method whose config is changed, and to what.
CHILDREN = dict(
    dsrl_fraction=(
        'dsrl',
        """dict(
    data_preprocessor=dict(scale=1.5, size_divisor=48, min_size=16),
    decode_head=dict(scale=1.5, sssr='subpixel', sisr_head=None,
                     loss_fa=None))""",
    ),
    pose_fraction=(
        'pose',
        """dict(
    data_preprocessor=dict(scale=1.5, size_divisor=32),
    head=dict(scale=1.5, sisr_head=None, loss_fa=None))""",
    ),
    simcc=('pose', f'dict(head={SIMCC})'),
    rtmpose=('pose', f'dict(head={RTMCC})'),
    dsrl_pspnet=(
        'dsrl_pspnet',
        """dict(
    backbone=dict(depth=18, base_channels=16),
    decode_head=dict(
        seg_head=dict(in_channels=128, channels=32),
        sisr_head=dict(in_channels=[16, 128])),
    auxiliary_head=dict(in_channels=64))""",
    ),
    fastfcn_deeplab=(
        'fastfcn',
        f'dict(decode_head={{**_base_.aspp_head, **{JPU}, "_delete_": True}})',
    ),
    fastfcn_pspnet=(
        'fastfcn',
        f'dict(decode_head={{**_base_.psp_head, **{JPU}, "_delete_": True}})',
    ),
)


def _balance(model, picture):
    """Have the classifier find several classes in a picture."""
    x = torch.from_numpy(picture.transpose(2, 0, 1)[None]).float()
    convs = head_of(model).conv_seg
    conv = convs[0] if isinstance(convs, nn.ModuleList) else convs
    with torch.no_grad():
        logits = model((x - 120) / 58)
        logits = logits if isinstance(logits, torch.Tensor) else logits[0]
        conv.bias -= logits.mean((0, 2, 3))


@pytest.fixture(scope='session')
def files_of(repo_root, randomize, image, tmp_path_factory):
    """Config and checkpoint of a method."""
    made = {}

    def files_of(method):
        if method not in made:
            folder = tmp_path_factory.mktemp(method)
            base, change = CHILDREN.get(method, (method, None))
            config = repo_root / 'configs' / CONFIGS[base]
            if change:
                child = folder / 'config.py'
                child.write_text(f"_base_ = '{config}'\nmodel = {change}\n")
                config = child
            cfg = Config.fromfile(config)
            init_default_scope(cfg.default_scope)
            weights = folder / 'weights.pth'
            model = randomize(MODELS.build(cfg.model))
            if hasattr(model, 'decode_head'):
                _balance(model, cv2.imread(str(image)))
            torch.save(model.state_dict(), weights)
            made[method] = config, weights
        return made[method]

    return files_of


@pytest.fixture
def model_of(files_of):
    """A model of a method, as the export takes it."""
    return lambda method: load_model(*files_of(method), 'cpu')


@pytest.fixture(scope='session')
def image(repo_root, tmp_path_factory):
    """A CamVid image, a drawn street where there is none, 94x129 pixels."""
    real = sorted((repo_root.parent / 'shared/data/camvid/val').glob('*.png'))
    picture = (
        cv2.imread(str(real[0]))
        if real
        else StreetsDataset(size=(94, 129), length=1, pipeline=[])[0]['img']
    )
    path = tmp_path_factory.mktemp('image') / 'street.png'
    cv2.imwrite(str(path), cv2.resize(picture, (129, 94)))
    return path


@pytest.fixture(scope='session')
def exported_ddrnet(files_of, image, tmp_path_factory):
    """DDRNet as one file of each format, by suffix."""
    pytest.importorskip('onnxruntime')
    model = load_model(*files_of('ddrnet'), 'cpu')
    folder = tmp_path_factory.mktemp('ddrnet_files')
    for suffix in ('.onnx', '.pt2'):
        export(model, folder / f'model{suffix}', [image])
    return {suffix: folder / f'model{suffix}' for suffix in ('.onnx', '.pt2')}

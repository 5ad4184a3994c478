# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
r"""Print every published complexity beside that of our model, as Markdown.

    python tests/maintenance/published_complexity.py

Papers count in different ways; the convention of a row is the one that comes
nearest to what is printed. Reproduced is what rounds to the published digits.
"""

import copy
import functools
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from mmengine.logging import MMLogger
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from mmhires.analysis import build_model, count_macs, count_outputs
from mmhires.deploy import strip

CONFIGS = Path(__file__).resolve().parents[2] / 'configs'


class Published(NamedTuple):
    """A size that a paper prints.

    Attributes:
        model (str): What the paper calls the model.
        config (str): Ours, in ``configs``, without ``.py``.
        size (tuple[int, int]): Height and width of the network input.
        value (str): As printed, with its digits.
        convention (str): The key of ``CONVENTIONS`` that comes nearest.
        note (str): What is special, or known of a difference.
        options (dict): Overrides of the config.
        ratio_of (tuple, optional): Config and size of the model of which
            ``value`` says how many times as much it is.
    """

    model: str
    config: str
    size: tuple[int, int]
    value: str
    convention: str = '2 x GMACs'
    note: str = ''
    options: dict = {}
    ratio_of: tuple | None = None


def _params(model: nn.Module, keep: Callable) -> float:
    return (
        sum(
            parameter.numel()
            for module in strip(copy.deepcopy(model)).modules()
            if keep(module)
            for parameter in module.parameters(recurse=False)
        )
        / 1e6
    )


def _is_norm(module: nn.Module) -> bool:
    return isinstance(module, _BatchNorm)


def _has_bias(module: nn.Module) -> bool:
    return isinstance(module, nn.Conv2d) and module.bias is not None


# Value of a model at an input of (3, H, W).
CONVENTIONS: dict[str, Callable] = {
    'GMACs': lambda *at: count_macs(*at) / 1e9,
    '2 x GMACs': lambda *at: 2 * count_macs(*at) / 1e9,
    '2 x GMACs + biases': lambda *at: (2 * count_macs(*at) + count_outputs(*at, _has_bias)) / 1e9,
    'MACs / 2^30': lambda *at: count_macs(*at) / 2**30,
    'GMACs + biases': lambda *at: (count_macs(*at) + count_outputs(*at, _has_bias)) / 1e9,
    'GMACs + 2 per BN output': lambda *at: (
        (count_macs(*at) + 2 * count_outputs(*at, _is_norm)) / 1e9
    ),
    'params (M)': lambda model, shape: _params(model, lambda module: True),
    'params (M) without BN': lambda model, shape: _params(
        model, lambda module: not _is_norm(module)
    ),
}

_DDRNET = 'ddrnet/ddrnet-{}_4xb3-120k_cityscapes-1024x1024'
_IMAGENET = 'ddrnet/ddrnet-{}_4xb64-100e_imagenet-224x224'
_DEEPLAB = 'dsrl/deeplabv3plus-r101-d8_4xb2-80k_cityscapes-512x1024'
_DEEPLAB_NOTE = "the paper's network and convention are unknown"
_BISENET = 'dsrl/bisenet-r18-d32_4xb4-80k_cityscapes-512x1024'
_BISENET_NOTE = "the paper's network is unknown"
_DABNET = 'dsrl/dabnet_4xb2-80k_cityscapes-512x1024'
_ESPNET = 'dsrl/espnetv2-s2_4xb6-12k_cityscapes-512x1024'
_TEACHER = ('hrfr/deeplabv2-r101-d8_4xb2-80k_cityscapes-1024x2048', (1024, 2048))
_HRFR = 'hrfr/hrfr_deeplabv2-r101-d8_4xb1-60e_cityscapes-{}-to-1024x2048'
_FULL, _HALF = (1024, 2048), (512, 1024)
_SIZES = ((256, 512), (320, 640), (384, 768), (448, 896), _HALF)


def _espnet(size: tuple[int, int], value: str, convention: str = '2 x GMACs + biases') -> Published:
    return Published(
        'ESPNetv2 s2.0',
        _ESPNET,
        size,
        value,
        convention,
        '20 classes',
        {'model.decode_head.num_classes': 20},
    )


PUBLISHED = (
    *(
        Published(f'DDRNet-{arch}', _DDRNET.format(arch), size, value, 'GMACs + biases', note)
        for arch, size, value, note in (
            ('23-slim', _FULL, '36.3', ''),
            ('23', _FULL, '143.1', ''),
            ('39', _FULL, '281.2', ''),
            ('39', (1024, 1024), '140.6', ''),
            ('39-1.5x', (1024, 1024), '303.0', 'widths are not stated'),
        )
    ),
    *(
        Published(
            f'DDRNet-{arch} ImageNet',
            _IMAGENET.format(arch),
            (224, 224),
            value,
            'GMACs + 2 per BN output',
        )
        for arch, value in (('23-slim', '0.98'), ('23', '3.88'), ('39', '6.95'))
    ),
    *(
        _espnet(size, value)
        for size, value in zip(_SIZES, ('1.35', '2.11', '3.04', '4.13', '5.40'))
    ),
    _espnet((368, 480), '1.82'),
    Published('DABNet', _DABNET, _HALF, '20.44'),
    *(
        Published(
            'HRNet-w32 pose',
            f'dsrl_pose/td-hm-hrnet-w32_8xb64-210e_coco-{h}x{w}',
            (h, w),
            value,
            'MACs / 2^30',
        )
        for h, w, value in ((256, 192, '7.12'), (160, 128, '2.97'), (128, 96, '1.78'))
    ),
    *(
        Published('DeepLabv3+ R101', _DEEPLAB, size, value, note=_DEEPLAB_NOTE)
        for size, value in zip(_SIZES, ('243.57', '380.58', '548.06', '745.94', '974.30'))
    ),
    Published(
        'DeepLabv3+ R101 CamVid',
        'dsrl/deeplabv3plus-r101-d8_4xb3-20k_camvid-368x480',
        (368, 480),
        '326.13',
        note=_DEEPLAB_NOTE,
    ),
    Published(
        'PSPNet R101',
        'dsrl/pspnet-r101-d16_4xb2-80k_cityscapes-512x1024',
        _HALF,
        '287.48',
        note="the paper's stem is unknown",
    ),
    Published('BiSeNet R18', _BISENET, _HALF, '49.20', note=_BISENET_NOTE),
    Published(
        'BiSeNet R18 CamVid',
        'dsrl/bisenet-r18-d32_1xb12-20k_camvid-368x480',
        (368, 480),
        '4.14',
        note="the paper's is that of 184x240",
    ),
    *(
        Published(
            f'HRFR 1/{1024 // size[0]}',
            _HRFR.format(f'{size[0]}x{size[1]}'),
            size,
            value,
            'GMACs',
            "the paper's is a ratio of times",
            ratio_of=_TEACHER,
        )
        for size, value in (((512, 1024), '3.04'), ((256, 512), '6.81'), ((128, 256), '9.36'))
    ),
    *(
        Published(f'DDRNet-{arch}', _DDRNET.format(arch), _FULL, value, 'params (M) without BN')
        for arch, value in (('23-slim', '5.7'), ('23', '20.1'), ('39', '32.3'))
    ),
    Published(
        'DDRNet-39-1.5x',
        _DDRNET.format('39-1.5x'),
        _FULL,
        '70.2',
        'params (M) without BN',
        'widths are not stated',
    ),
    *(
        Published(
            f'DDRNet-{arch} ImageNet', _IMAGENET.format(arch), (224, 224), value, 'params (M)'
        )
        for arch, value in (('23-slim', '7.57'), ('23', '28.22'), ('39', '40.13'))
    ),
    _espnet(_HALF, '0.79', 'params (M)'),
    Published('DABNet', _DABNET, _HALF, '0.76', 'params (M)'),
)


@functools.cache
def _build(config: str, *options: tuple) -> nn.Module:
    return build_model(str(CONFIGS / f'{config}.py'), dict(options), 'meta')


def reproduce(row: Published) -> tuple[float, bool]:
    """Compute what a paper prints from our model.

    Args:
        row (Published): What the paper prints.

    Returns:
        tuple[float, bool]: Our value, and whether it rounds to the published
        one.
    """

    def value(config: str, size: tuple[int, int]) -> float:
        model = _build(config, *row.options.items())
        return CONVENTIONS[row.convention](model, (3, *size))

    ours = value(row.config, row.size)
    if row.ratio_of:
        ours = value(*row.ratio_of) / ours
    digits = len(row.value.partition('.')[2])
    return ours, f'{ours:.{digits}f}' == row.value


def main() -> None:
    # It would warn of each change between MMSegmentation, MMPose and others.
    MMLogger.get_current_instance().setLevel('ERROR')
    print('| model | input | published | convention | ours | difference | reproduced | note |')
    print('|---|---|---|---|---|---|---|---|')
    for row in PUBLISHED:
        ours, reproduced = reproduce(row)
        print(
            f'| {row.model} | {row.size[0]}x{row.size[1]} | {row.value} | '
            f'{row.convention}{", ratio" if row.ratio_of else ""} | '
            f'{ours:.4f} | {100 * (ours / float(row.value) - 1):+.2f} % | '
            f'{"yes" if reproduced else "no"} | {row.note} |',
            flush=True,
        )


if __name__ == '__main__':
    main()

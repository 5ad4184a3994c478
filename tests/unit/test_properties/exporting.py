# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""What exports to what: ``python tests/unit/test_properties/exporting.py``."""

import copy
import io
from functools import cache
from itertools import groupby

import torch
from mmengine.registry import DefaultScope
from model_recipes import CONFIGS, PARTS, STRIDES, WIDTHS
from torch import nn
from whole_model_recipes import LOW_RES, MODEL_CONFIGS, POSE_NET

from mmhires import registry
from mmhires.deploy import Network, fold_bn, strip
from mmhires.deploy.engines import onnxruntime
from mmhires.deploy.writers import onnx
from mmhires.deploy.writers import torch as torch_export
from mmhires.models.backbones.low_res_backbone import with_image
from mmhires.utils.errors import first_line

# Format, and whether its files take images of any size.
WAYS = [('.onnx', False), ('.onnx', True), ('.pt2', False), ('.pt2', True)]
TRACED, OTHERS = (65, 97), [(40, 33), (64, 130), (127, 61)]
KINDS = dict(
    segmentors='Segmentors',
    backbones='Backbones',
    necks='Necks',
    decode_heads='Heads',
    pose='For poses',
    context='Context modules',
)
WHOLE = dict(BaseSegmentor='segmentors', BasePoseEstimator='pose')
# Of the training and before the network.
NOT_IN_A_FILE = {'SISRHead', 'LowResPoseDataPreprocessor'}
# A part of SegFormer, which no file of ONNX takes other sizes of, and the
# pooling that ONNX lacks.
UPSTREAM = {
    'mmseg.MixVisionTransformer': dict(
        num_stages=1,
        embed_dims=4,
        num_layers=[1],
        num_heads=[1],
        patch_sizes=[7],
        strides=[4],
        sr_ratios=[2],
        out_indices=[0],
    ),
    'mmseg.PSPHead': dict(in_channels=12, in_index=3, channels=8, num_classes=5),
}
CONFIGS = dict(CONFIGS, **UPSTREAM)
# Two maps have all that four have.
CONFIGS['ESPNetv2Head'] = dict(
    CONFIGS['ESPNetv2Head'], in_channels=WIDTHS[:2], in_index=[0, 1], widths=[4]
)
# DABNet is exported by itself.
CONFIGS['LowResBackbone'] = dict(
    CONFIGS['LowResBackbone'],
    backbone=dict(
        type='mmseg.ResNetV1c',
        depth=18,
        num_stages=1,
        strides=(1,),
        dilations=(1,),
        out_indices=(0,),
        base_channels=4,
        stem_channels=4,
    ),
)
MODELS = dict(
    {name: dict(config, data_preprocessor=LOW_RES) for name, config in MODEL_CONFIGS.items()},
    DistilledPoseEstimator=dict(POSE_NET, teacher=dict(POSE_NET, type='TopdownPoseEstimator')),
)
# Widths and strides of the maps, where no recipe says them.
MAPS = dict(DSRLHeatmapHead=((4, 8), (4, 8)))


def components() -> list[tuple[str, str]]:
    """Kind and name of all that an exported file may hold."""
    registry.MODELS.import_from_location()
    kinds = list(KINDS)
    found = sorted(
        (kinds.index(kind), name)
        for name, cls in registry.MODELS.module_dict.items()
        if (kind := room(cls)) in kinds and name not in NOT_IN_A_FILE
    )
    return [(KINDS[kinds[kind]], name) for kind, name in found] + [
        ('Of MMSegmentation', name) for name in UPSTREAM
    ]


def room(cls: type) -> str:
    """Kind of a whole model, or folder of ``mmhires.models``; '' for classes of others.

    A test file that was collected before may have registered its own.
    """
    package, _, rest = cls.__module__.partition('mmhires.models.')
    if package:
        return ''
    bases = [base.__name__ for base in cls.__mro__]
    folder = rest.partition('.')[0]
    return next((kind for base, kind in WHOLE.items() if base in bases), folder)


class OnImage(nn.Module):
    """From an image to the maps that a component makes, side by side.

    What takes maps gets them from a convolution each.
    """

    def __init__(self, name: str, module: nn.Module) -> None:
        super().__init__()
        case = PARTS[name].case.keywords if name in PARTS else {}
        self.single = case.get('single', False)
        self.maps = nn.ModuleList(
            nn.Conv2d(3, width, 1, stride)
            for width, stride in zip(
                *MAPS.get(name, (case.get('widths', WIDTHS), case.get('strides', STRIDES)))
            )
        )
        self.module = module

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        maps = tuple(conv(image) for conv in self.maps)
        return _side_by_side(self.module(maps[0] if self.single else with_image(maps, image)))


class Backbone(nn.Module):
    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return _side_by_side(self.module(image))


def _side_by_side(maps) -> torch.Tensor:
    if isinstance(maps, torch.Tensor):
        return maps
    return torch.cat([one.flatten(1) for one in maps], 1)[:, None, None]


def _network(kind: str, name: str) -> nn.Module:
    torch.manual_seed(0)
    if name in MODELS:
        return Network(_build(MODELS[name], f'mmhires.{name}'))
    module = fold_bn(strip(_build(CONFIGS[name], name if '.' in name else f'mmhires.{name}')))
    takes_images = kind == 'Backbones' or name == 'mmseg.MixVisionTransformer'
    return (Backbone(module) if takes_images else OnImage(name, module)).eval()


def _build(config: dict, name: str) -> nn.Module:
    scope = 'mmpose' if 'Pose' in name else 'mmseg'
    with DefaultScope.overwrite_default_scope(scope):
        return registry.MODELS.build(dict(copy.deepcopy(config), type=name))


@cache
def problem(kind: str, name: str, suffix: str, dynamic: bool) -> str:
    """Why a component does not export in a way; empty if it does."""
    if (suffix, dynamic) == ('.pt2', False) and not problem(kind, name, suffix, True):
        return ''  # a special case of what works
    network = _network(kind, name)
    write = (onnx if suffix == '.onnx' else torch_export).write
    try:
        content = write(network, torch.randn(1, 3, *TRACED), {}, (2, 3) * dynamic)
        run = (
            onnxruntime.load(content)[0]
            if suffix == '.onnx'
            else torch.export.load(io.BytesIO(content)).module()
        )
        for size in [TRACED, *OTHERS * dynamic]:
            image = torch.randn(1, 3, *size)
            with torch.no_grad():
                want, got = network(image), run(image)
            if want.shape != got.shape:
                return f'{tuple(got.shape)} for {tuple(want.shape)}'
            error = (want - got).abs().max() / want.abs().max()
            if not error < 1e-5:
                return f'differs by {error:.0e} at {size}'
    except Exception as error:  # of whatever writes or runs it
        return first_line(error)
    return ''


def table() -> str:
    """A row for each kind of component of which all export in the same ways."""
    lines = [
        '| | '
        + ' | '.join(f'`{suffix}`' + ' `--dynamic`' * dynamic for suffix, dynamic in WAYS)
        + ' |',
        '|---' * (len(WAYS) + 1) + '|',
    ]
    rows = [
        ((kind, *(not problem(kind, name, *way) for way in WAYS)), name)
        for kind, name in components()
    ]
    for (kind, *good), group in groupby(rows, key=lambda row: row[0]):
        names = ', '.join(f'`{name}`' for _, name in group)
        # Crops of persons are all of one size.
        answers = ' | '.join(
            '-' if dynamic and kind == 'For poses' else 'yes' if one else 'no'
            for one, (_, dynamic) in zip(good, WAYS)
        )
        lines.append(f'| {kind}: {names} | {answers} |')
    return '\n'.join(lines)


if __name__ == '__main__':
    print(table())  # noqa: T201

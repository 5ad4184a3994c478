# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Deep dual-resolution networks: all those of the paper in one class."""

from collections.abc import Sequence
from functools import partial
from itertools import chain

from mmcv.cnn import ConvModule, build_activation_layer
from mmengine.model import BaseModule
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.checkpoint import checkpoint

from mmhires.converters import ddrnet_keys
from mmhires.models.init_cfg import KAIMING
from mmhires.models.layers.residual import residual_block
from mmhires.models.layers.resize import resize_to
from mmhires.registry import MODELS

# A convolution that halves the size of a map.
_HALVE = dict(kernel_size=3, stride=2, padding=1)


@MODELS.register_module()
class DDRNet(BaseModule):
    """Backbone of two resolutions that exchange their features.

    `Deep Dual-resolution Networks for Real-time and Accurate Semantic Segmentation of Road Scenes
    <https://arxiv.org/abs/2101.06085>`_, Tables I and II, in the form for segmentation of section
    III-D. The structure follows the `authors' code <https://github.com/ydhongHIT/DDRNet>`_, weights
    of which :mod:`mmhires.converters` reads. Any input size of 32 pixels and more works: the
    high-resolution branch sets the size of each fusion.

    Args:
        arch: ``'23-slim'``, ``'23'``, ``'39'``, ``'39-1.5x'``, or a dict of ``channels``, the width
            p of the stem, and ``depths``, the numbers of residual blocks of conv2, conv3, each
            group of conv4 and conv5. Default: ``'23-slim'``.
        in_channels: Channels of the image. Default: 3.
        final_stride: Stride of the low-resolution branch's last block: 2 for segmentation, 1 for
            classification. Default: 2.
        norm_cfg: Of every normalisation layer. Default: BN.
        act_cfg: Of every activation. Default: ReLU.
        align_corners: Of the bilinear resize. Default: False.
        frozen_stages: Stages that do not train, statistics included: 0 the stem, 1 to 4 up to
            conv2, conv3, conv4, conv5, 5 everything; -1 for none. Default: -1.
        norm_eval: Keep running statistics in training. Default: False.
        with_cp: Compute activations again in the backward pass rather than keep them. Default:
            False.
        out_indices: Maps that :meth:`forward` returns: 0 for an auxiliary head, 1 of the high- and
            2 of the low-resolution branch. The heads must read 1 and 2 where they are returned;
            what only the one left out would need does not train, as distributed training stops at
            parameters without gradient. Default: (0, 1, 2).
        init_cfg: ``type='Pretrained'`` takes a ``checkpoint``, file or URL, of ours,
            MMSegmentation's or the authors', and all of its backbone or none. Default: Kaiming, fan
            out.

    Raises:
        KeyError: Unknown ``arch``, or a dict without ``channels`` or ``depths``.
        ValueError: ``depths``, ``frozen_stages`` or ``out_indices`` out of range.
    """

    arch_settings = {
        '23-slim': dict(channels=32, depths=(2, 2, 2, 2)),
        '23': dict(channels=64, depths=(2, 2, 2, 2)),
        '39': dict(channels=64, depths=(3, 4, 3, 3, 3)),
        '39-1.5x': dict(channels=96, depths=(3, 4, 3, 3, 3)),
    }

    def __init__(
        self,
        arch: str | dict = '23-slim',
        in_channels: int = 3,
        final_stride: int = 2,
        norm_cfg: dict = dict(type='BN'),
        act_cfg: dict = dict(type='ReLU'),
        align_corners: bool = False,
        frozen_stages: int = -1,
        norm_eval: bool = False,
        with_cp: bool = False,
        out_indices: Sequence[int] = (0, 1, 2),
        init_cfg: dict | list[dict] | None = KAIMING,
    ) -> None:
        super().__init__(init_cfg)
        p, (conv2, conv3, *groups) = self._settings(arch)
        if frozen_stages not in range(-1, 6):
            raise ValueError(
                'DDRNet: frozen_stages must be from -1 (none) to '
                f'5 (everything), got {frozen_stages}'
            )
        if not {0} < {0, *out_indices} <= {0, 1, 2}:
            raise ValueError(
                f'DDRNet: out_indices must be among 0, 1 and 2, not 0 alone, got {out_indices}'
            )
        self.out_indices = tuple(out_indices)
        self.align_corners = align_corners
        self.frozen_stages = frozen_stages
        self.norm_eval = norm_eval
        self.with_cp = with_cp
        cfg = dict(norm_cfg=norm_cfg, act_cfg=act_cfg)
        stage = partial(_make_stage, **cfg)

        # With biases before BN, as the authors' weights have them.
        conv = partial(ConvModule, bias=True, **_HALVE, **cfg)
        self.stem = nn.Sequential(conv(in_channels, p), conv(p, p))
        self.layer1 = stage(p, p, conv2)
        self.layer2 = stage(p, 2 * p, conv3, stride=2)
        # Width and stride of the low-resolution branch in each group: conv4
        # starts at 1/16, conv5, the last, at 1/32.
        plan = [(4 * p, 2)] + [(4 * p, 1)] * (len(groups) - 2) + [(8 * p, 2)]
        self.low, self.high, self.fusions = (nn.ModuleList() for _ in range(3))
        width = 2 * p
        for depth, (channels, stride) in zip(groups, plan):
            self.low.append(stage(width, channels, depth, stride))
            self.high.append(stage(2 * p, 2 * p, depth))
            self.fusions.append(_BilateralFusion(2 * p, channels, align_corners, **cfg))
            width = channels
        bottleneck = partial(residual_block, bottleneck=True, final_act=False, **cfg)
        self.low_bottleneck = bottleneck(width, width, final_stride)
        self.high_bottleneck = bottleneck(2 * p, 2 * p)
        self.act = build_activation_layer(act_cfg)
        last = self.fusions[-1]
        for index, parts in (
            (1, (self.high_bottleneck, last.compress)),
            (2, (self.low_bottleneck, last.down)),
        ):
            for part in parts:
                part.requires_grad_(index in self.out_indices)
        self._freeze_stages()

    @classmethod
    def _settings(cls, arch: str | dict) -> tuple[int, tuple[int, ...]]:
        settings = cls.arch_settings.get(str(arch), arch)
        if not {'channels', 'depths'} <= set(settings):
            raise KeyError(
                f'DDRNet: arch {arch!r} is neither one of {", ".join(cls.arch_settings)} nor a '
                'dict of channels and depths'
            )
        depths = tuple(settings['depths'])
        if len(depths) < 4 or min(depths) < 1:
            raise ValueError(
                'DDRNet: depths must be positive numbers of blocks of conv2, '
                f'conv3, each group of conv4 and conv5, got {depths}'
            )
        return settings['channels'], depths

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Extract features, all before their activation.

        Args:
            x: ``(N, in_channels, H, W)``.

        Returns:
            Those of ``out_indices`` among, with p the width of the stem and sizes rounded up, ``(N,
            2p, H/8, W/8)`` after the last fusion of conv4, for the auxiliary head; ``(N, 4p, H/8,
            W/8)`` of the high- and ``(N, 16p, H/64, W/64)`` of the low-resolution branch (1/32 with
            ``final_stride=1``).
        """
        x = self._run(self.stem, x)
        x = self._run(self.layer1, x)
        low = high = self.act(self._run(self.layer2, self.act(x)))
        fused = []
        for low_stage, high_stage, fusion in zip(self.low, self.high, self.fusions):
            low, high = self._run(fusion, self._run(low_stage, low), self._run(high_stage, high))
            fused.append(high)
            low, high = self.act(low), self.act(high)
        maps = [fused[-2], high, low]
        if 1 in self.out_indices:
            maps[1] = self._run(self.high_bottleneck, high)
        if 2 in self.out_indices:
            maps[2] = self._run(self.low_bottleneck, low)
        return tuple(maps[i] for i in self.out_indices)

    def _run(self, stage: nn.Module, *inputs: Tensor):
        if self.with_cp and any(x.requires_grad for x in inputs):
            return checkpoint(stage, *inputs, use_reentrant=False)
        return stage(*inputs)

    def init_weights(self) -> None:
        """Load published weights of any supported layout, or initialise.

        Raises:
            ValueError: The checkpoint does not have all of this backbone.
        """
        pretrained = ddrnet_keys.pretrained_cfg(self.init_cfg)
        if pretrained is None:
            super().init_weights()
        else:
            ddrnet_keys.load_pretrained(self, **pretrained)

    def _load_from_state_dict(self, state_dict: dict, prefix: str, *args, **kwargs) -> None:
        ddrnet_keys.check_keys(self, state_dict, prefix)
        super()._load_from_state_dict(state_dict, prefix, *args, **kwargs)

    def _freeze_stages(self) -> None:
        groups = self.low, self.high, self.fusions
        stages = [
            [self.stem],
            [self.layer1],
            [self.layer2],
            [group[:-1] for group in groups],
            [group[-1] for group in groups],
            [self.low_bottleneck, self.high_bottleneck],
        ]
        for module in chain(*stages[: self.frozen_stages + 1]):
            module.eval().requires_grad_(False)

    def train(self, mode: bool = True) -> 'DDRNet':
        """Keep frozen stages, and with ``norm_eval`` all norms, in evaluation mode."""
        super().train(mode)
        self._freeze_stages()
        if self.norm_eval:
            for module in self.modules():
                if isinstance(module, _BatchNorm):
                    module.eval()
        return self


class _BilateralFusion(nn.Module):
    """Exchange between the two branches (equation 1)."""

    def __init__(
        self,
        high_channels: int,
        low_channels: int,
        align_corners: bool,
        norm_cfg: dict,
        act_cfg: dict,
    ) -> None:
        super().__init__()
        self.align_corners = align_corners
        self.act = build_activation_layer(act_cfg)
        conv = partial(ConvModule, norm_cfg=norm_cfg, act_cfg=None)
        # One 3x3 convolution of stride 2 for each doubling of the width.
        self.down = nn.Sequential()
        width = high_channels
        while 2 * width < low_channels:
            self.down.append(conv(width, 2 * width, act_cfg=act_cfg, **_HALVE))
            width *= 2
        self.down.append(conv(width, low_channels, **_HALVE))
        self.compress = conv(low_channels, high_channels, 1)

    def forward(self, low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
        up = resize_to(self.compress(self.act(low)), high.shape[-2:], self.align_corners)
        return low + self.down(self.act(high)), high + up


def _make_stage(
    in_channels: int, channels: int, depth: int, stride: int = 1, **cfg: dict
) -> nn.Sequential:
    """Build basic blocks, the last without its final activation."""
    shapes = [(in_channels, channels, stride)] + [(channels, channels, 1)] * (depth - 1)
    return nn.Sequential(
        *(residual_block(*shape, final_act=i < depth, **cfg) for i, shape in enumerate(shapes, 1))
    )

# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Super-resolution recovering of HRFR."""

from collections.abc import Sequence
from functools import partial

import torch
from mmcv.cnn import ConvModule
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmhires.models.layers.resize import enlarge_to, resize_to
from mmhires.models.layers.upsample import bilinear_kernel, count_doublings
from mmhires.registry import MODELS

# By what goes into a layer.
KAIMING = dict(
    type='Kaiming', layer=['Conv2d', 'ConvTranspose2d'], distribution='normal', mode='fan_in'
)

# In weights: that the neck is left out.
LEFT_OUT = 'left_out'


@MODELS.register_module()
class SRRNeck(BaseModule):
    """Features of a full-size image from those of a reduced one.

    `High Resolution Feature Recovering for Accelerating Urban Scene Parsing
    <https://www.ijcai.org/proceedings/2018/161>`_, section 3.2: for an image reduced by ``scale =
    2^n``, a 1x1 convolution from the width c of the map to k, n deconvolutions of kernel 4 and
    stride 2 at that width, and a 1x1 convolution back to c; ``n * 16 * k^2 + 2 * c * k`` weights.
    The maps of ``in_index`` are replaced by recovered ones of ``scale`` times their size, the
    others pass through unchanged.

    The maps of ``aux_index`` have modules of their own (section 3.3), which :class:`mmhires.HRFR`
    runs in training and nothing else does: :meth:`forward` leaves those maps as they are, so that
    heads read the same in training and testing, and :meth:`switch_to_deploy` removes the modules.

    Weights without those of the neck, such as the plain network's as ``load_from``, leave it out
    until the first training step: the network is the plain one, fed small images.

    Args:
        in_channels: Width of each map to recover. Default: 2048.
        in_index: Which maps these are. More than one for a head that reads several, as DDRNet's.
            Default: -1, the last.
        scale: Full-size image : network input, above 1. Maps that are doubled beyond it are
            resized. Default: 2.
        bottleneck: k, below the width of its map; of all maps or of each. None deconvolves at full
            width, the paper's "Non-neck". Default: 512.
        aux_channels: Widths of the maps that are recovered in training only, the paper's "Aux".
            Default: (), none.
        aux_index: Which maps these are. Default: (1, 2), the third and the fourth stage of a
            ResNet.
        aux_bottleneck: k of the auxiliary modules, which the paper leaves open: 512 cannot be, as k
            is below the 512 channels of the third stage. Default: None, a quarter of the width, as
            512 is of 2048.
        out_act_cfg: Activation of what is recovered, for maps that the teacher has after one,
            ``dict(type='ReLU')`` for those of a ResNet. Default: None, as the paper has it.
        norm_cfg: After each layer but the last. Default: None, as the paper speaks of convolutions
            and deconvolutions only and counts nothing else.
        act_cfg: Likewise. Default: None.
        residual: Add what is recovered to the enlarged map, from zero on, so that training starts
            from that map instead of noise. Default: False, as the paper has it.
        init_cfg: The paper says Gaussian without a deviation. Default: Kaiming's, with which the
            recovered features start at about the size of those they come from, at any width;
            ``dict(type='Normal', layer=['Conv2d', 'ConvTranspose2d'], std=0.01)`` fixes it.

    Attributes:
        recovers (bool): Whether it has weights of its own, given or trained.

    Raises:
        ValueError: ``scale`` is not above 1, the lengths of widths, indices and bottlenecks differ,
            a bottleneck is not below the width of its map, or ``out_act_cfg`` with ``residual``.
    """

    recovers = True

    def __init__(
        self,
        in_channels: int | Sequence[int] = 2048,
        in_index: int | Sequence[int] = -1,
        scale: float = 2,
        bottleneck: int | Sequence[int] | None = 512,
        aux_channels: Sequence[int] = (),
        aux_index: Sequence[int] = (1, 2),
        aux_bottleneck: int | Sequence[int] | None = None,
        residual: bool = False,
        init_cfg: dict | None = KAIMING,
        **cfg: dict | None,
    ) -> None:
        super().__init__(init_cfg)
        if residual and cfg.get('out_act_cfg'):
            raise ValueError(
                'SRRNeck: residual=True adds to a map that has its activation, and what starts '
                'at zero behind another one learns nothing; leave out out_act_cfg'
            )
        self.scale = scale
        cfg.update(scale=scale, residual=residual)
        self.in_channels = _as_tuple(in_channels)
        self.in_index = _as_tuple(in_index)
        self.srr = _Modules('in', self.in_channels, self.in_index, bottleneck, **cfg)
        if aux_bottleneck is None:
            aux_bottleneck = [width // 4 for width in aux_channels]
        self.aux_index = tuple(aux_index) if aux_channels else ()
        self.aux_srr = _Modules('aux', tuple(aux_channels), self.aux_index, aux_bottleneck, **cfg)

    def init_weights(self) -> None:
        """Initialise the modules; what is added to a map starts at zero."""
        super().init_weights()
        for _, module in self.modules_by_index() if self.srr.residual else ():
            nn.init.zeros_(module[-1].conv.weight)

    def _load_from_state_dict(self, state_dict: dict, prefix: str, *args, **kwargs) -> None:
        left_out = state_dict.pop(prefix + LEFT_OUT, None) is not None
        self.recovers = any(key.startswith(prefix) for key in state_dict)
        if left_out:
            state_dict.update(self.state_dict(prefix=prefix))
        super()._load_from_state_dict(state_dict, prefix, *args, **kwargs)

    def leave_out_untrained(self, state_dict: dict, prefix: str) -> None:
        """Mark weights in which the neck is left out, to be a whole checkpoint of that network.

        Args:
            state_dict: Of the whole model, which is changed if the neck is left out.
            prefix: Of the neck's keys.
        """
        if not self.recovers:
            for key in [key for key in state_dict if key.startswith(prefix)]:
                del state_dict[key]
            state_dict[prefix + LEFT_OUT] = torch.tensor(True)

    def forward(self, inputs: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """Recover the maps of ``in_index``.

        Args:
            inputs: Maps ``(N, C_i, H_i, W_i)`` of the reduced image.

        Returns:
            The same, those of ``in_index`` as ``(N, C_i, scale * H_i, scale * W_i)``.

        Raises:
            ValueError: A map is missing or does not have its width.
        """
        if self.training and not self.recovers:
            self.recovers = True
        if not self.recovers:
            return tuple(inputs)
        maps = list(inputs)
        for index, feat in self.srr(inputs).items():
            maps[index] = feat
        return tuple(maps)

    def recover_auxiliary(self, inputs: Sequence[Tensor]) -> dict[int, Tensor]:
        """Recover the maps of ``aux_index``, for training.

        Args:
            inputs: As of :meth:`forward`.

        Returns:
            ``(N, C_i, scale * H_i, scale * W_i)`` by index.

        Raises:
            ValueError: A map is missing or does not have its width.
        """
        return self.aux_srr(inputs)

    def modules_by_index(self) -> list[tuple[int, nn.Sequential]]:
        """The index of each map that is recovered, and what recovers it.

        Returns:
            Maps of training alone as well.
        """
        return [*zip(self.in_index, self.srr), *zip(self.aux_index, self.aux_srr)]

    def switch_to_deploy(self) -> None:
        """Remove the auxiliary modules for good."""
        self.aux_srr, self.aux_index = _Modules('aux', (), (), ()), ()


def _as_tuple(value: int | Sequence[int]) -> tuple[int, ...]:
    return (value,) if isinstance(value, int) else tuple(value)


class _Modules(nn.ModuleList):
    """What recovers some of the maps, each by its module.

    Args:
        kind: ``'in'`` or ``'aux'``, for errors.
        widths: Of the maps.
        indices: Which maps.
        bottleneck: Of all or of each.
        scale: By how much maps are enlarged. Default: 2.
        residual: Whether the enlarged map is added. Default: False.
        **cfg: Of :func:`_recovering`.
    """

    def __init__(
        self,
        kind: str,
        widths: Sequence[int],
        indices: Sequence[int],
        bottleneck: int | Sequence[int] | None,
        scale: float = 2,
        residual: bool = False,
        **cfg,
    ) -> None:
        necks = bottleneck
        if bottleneck is None or isinstance(bottleneck, int):
            necks = [bottleneck] * len(widths)
        if not len(widths) == len(indices) == len(necks):
            raise ValueError(
                f'SRRNeck: {kind}_channels={widths}, {kind}_index={indices} '
                f'and the bottlenecks {bottleneck} must be as many'
            )
        for index, width, neck in zip(indices, widths, necks):
            if neck is not None and not 0 < neck < width:
                raise ValueError(
                    f'SRRNeck: bottleneck {neck} of {kind}_index {index} must '
                    f'be from 1 to below the width {width} of its map; None '
                    'is without a bottleneck'
                )
        steps = count_doublings(scale)
        super().__init__(
            _recovering(width, neck, steps, **cfg) for width, neck in zip(widths, necks)
        )
        self.kind, self.widths, self.indices = kind, widths, indices
        self.scale, self.residual = scale, residual

    def forward(self, inputs: Sequence[Tensor]) -> dict[int, Tensor]:
        given = [x.shape[1] for x in inputs]
        for index, width in zip(self.indices, self.widths):
            if not -len(given) <= index < len(given) or given[index] != width:
                raise ValueError(
                    f'SRRNeck: {self.kind}_index {index} should be a map of '
                    f'{width} channels ({self.kind}_channels), but the maps '
                    f'have {given}'
                )
        return {
            index: self._recover(module, inputs[index]) for index, module in zip(self.indices, self)
        }

    def _recover(self, module: nn.Sequential, feat: Tensor) -> Tensor:
        recovered = enlarge_to(module(feat), feat.shape[-2:], self.scale)
        return recovered + resize_to(feat, recovered.shape[-2:]) if self.residual else recovered


def _recovering(
    width: int,
    neck: int | None,
    steps: int,
    norm_cfg: dict | None = None,
    act_cfg: dict | None = None,
    out_act_cfg: dict | None = None,
) -> nn.Sequential:
    """Deconvolutions, between 1x1 convolutions if there is a bottleneck."""
    conv = partial(ConvModule, kernel_size=1, bias=False)
    deconv = partial(
        conv, kernel_size=4, stride=2, padding=1, conv_cfg=dict(type=nn.ConvTranspose2d)
    )
    layers = [partial(deconv, neck or width, neck or width)] * steps
    if neck is not None:
        layers.insert(0, partial(conv, width, neck))
        layers.append(partial(conv, neck, width))
    *inner, last = layers
    return nn.Sequential(
        *(layer(norm_cfg=norm_cfg, act_cfg=act_cfg) for layer in inner),
        last(norm_cfg=None, act_cfg=out_act_cfg),
    )


def start_linear(module: nn.Sequential, down: Tensor, up: Tensor) -> None:
    """Make a module of SRR a linear map of bilinearly enlarged features.

    Args:
        module: Of :meth:`SRRNeck.modules_by_index`.
        down: ``(c, k)``, from the features of one pixel to the bottleneck. Without bottleneck any k
            will do.
        up: ``(k, c)``, from there to those of the teacher.
    """
    convs = [layer.conv for layer in module]
    kernel = bilinear_kernel().to(down)
    with torch.no_grad():
        for conv in convs:
            if isinstance(conv, nn.ConvTranspose2d):
                one = torch.eye(conv.in_channels).to(down)
                conv.weight.copy_(one[..., None, None] * kernel)
        if isinstance(convs[0], nn.ConvTranspose2d):
            convs[0].weight.copy_((down @ up)[..., None, None] * kernel)
        else:
            convs[0].weight.copy_(down.T[..., None, None])
            convs[-1].weight.copy_(up.T[..., None, None])

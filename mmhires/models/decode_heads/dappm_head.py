# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Head of DDRNet: context of the small map, details of the large one."""

from torch import Tensor

from mmhires.models.decode_heads.pre_act_head import PreActHead
from mmhires.models.layers.pre_act import PreActConv
from mmhires.models.layers.resize import resize_to
from mmhires.registry import MODELS


@MODELS.register_module()
class DAPPMHead(PreActHead):
    """Context of a low-resolution map, added to a high-resolution map.

    `Deep Dual-resolution Networks <https://arxiv.org/abs/2101.06085>`_, section III-D and Fig. 4,
    followed by the layers of :class:`PreActHead`. It takes two maps of any backbone, before their
    activation or after.

    Args:
        in_channels: Widths of the high- and the low-resolution map, for DDRNet four and sixteen
            times its ``channels``.
        channels: Width of the 3x3 convolution.
        context: Config of the context module: ``dict(type='mmhires.DAPPM')`` with its options, or
            ``dict(type='mmhires.SimplifiedPPM')``; None projects without context. The three rows of
            the paper's Table X. Widths, norm, activation and ``align_corners`` are taken from the
            head unless it names them. Default: DAPPM.
        in_index: The two maps among those of the backbone. Default: [1, 2].
        kwargs: As of :class:`PreActHead`.

    Raises:
        ValueError: ``in_channels`` or ``in_index`` are not two.
    """

    def __init__(
        self,
        in_channels: list[int],
        channels: int,
        context: dict | None = dict(type='mmhires.DAPPM'),
        in_index: list[int] = [1, 2],
        **kwargs,
    ) -> None:
        for name, value in (('in_channels', in_channels), ('in_index', in_index)):
            if not isinstance(value, (list, tuple)) or len(value) != 2:
                raise ValueError(
                    f'DAPPMHead: {name} must name the high-resolution and the '
                    f'low-resolution map, got {value!r}'
                )
        super().__init__(
            in_channels, channels, in_index=in_index, input_transform='multiple_select', **kwargs
        )
        high, low = in_channels
        cfg = dict(norm_cfg=self.norm_cfg, act_cfg=self.act_cfg)
        if context is None:
            self.context = PreActConv(low, high, **cfg)
        else:
            cfg.update(in_channels=low, out_channels=high)
            cfg.update(align_corners=self.align_corners)
            self.context = MODELS.build({**cfg, **context})

    def _transform_inputs(self, inputs: tuple[Tensor]) -> Tensor:
        """Fuse the two maps."""
        high, low = super()._transform_inputs(inputs)
        return high + resize_to(self.context(low), high.shape[-2:], self.align_corners)

# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""High-resolution feature recovery: a teacher for any encoder-decoder."""

from collections.abc import Sequence

import torch.nn.functional as F
from mmseg.utils import SampleList
from torch import Tensor, nn

from mmhires.models.distillation import DistilledSegmentor
from mmhires.models.low_res import LowResSegDataPreProcessor
from mmhires.models.necks.srr import SRRNeck
from mmhires.models.recording import MAPS, ReadMaps, compare, record
from mmhires.registry import MODELS
from mmhires.utils.errors import first_line
from mmhires.utils.ratio import as_ratio


@MODELS.register_module()
class HRFR(DistilledSegmentor):
    """Student that sees a reduced image and recovers a teacher's features.

    `High Resolution Feature Recovering for Accelerating Urban Scene Parsing
    <https://www.ijcai.org/proceedings/2018/161>`_. The student is backbone, neck and decode head as
    of ``EncoderDecoder``; :class:`SRRNeck`, last of its neck, brings its features to the size that
    they have for the full-size image. In training a frozen teacher of the same feature widths reads
    that image (``gt_img`` of :class:`LowResSegDataPreProcessor`) and the student regresses its
    features. The objective is equation 10: ``loss_srr`` on the maps that the head reads, the losses
    of the head, ``loss_aux`` on the maps of ``SRRNeck.aux_index``. Equation 11 is the same with
    each loss inside a :class:`BoundaryReweightedLoss`.

    Args:
        *args: Of ``EncoderDecoder``.
        teacher_ckpt: File or address of its weights. None leaves them to the ``init_cfg`` of
            ``teacher``.
        init_student: Start from the teacher's backbone, neck, decode head and auxiliary heads,
            which must have the same layers, as the paper does. False: each has its own
            ``init_cfg``. Default: True.
        loss_srr: lambda 1 is its ``loss_weight``. Default: :class:`FeatureL2Loss`, relative to the
            teacher's features; with the paper's ``reduction='sum'`` usual rates diverge.
        loss_aux: lambda 3 is its ``loss_weight``. Default: the same of weight 0.5.
        distill_losses: Further losses against the same teacher, as of :class:`DistilledSegmentor`,
            for instance of its logits. Default: (), none.
        match_size: How a recovered map gets the size of the teacher's, where the stride does not
            divide the image: 500 pixels have 63 features, 250 have 32 and recover 64. ``'crop'``
            drops the last rows and columns, which leaves each feature at the pixels of the
            teacher's; ``'resize'`` is bilinear. In testing there is no teacher to say the size:
            give the data preprocessor ``test_cfg=dict( size_divisor=scale * stride)``. Default:
            ``'crop'``.
        **kwargs: ``teacher`` of :class:`DistilledSegmentor`, and those of ``EncoderDecoder``: the
            weight of the ``decode_head``'s loss is lambda 2; ``neck`` is :class:`SRRNeck` or a list
            that ends in it, ``[dict(type='mmhires.JPU', ...), dict(type='mmhires.SRRNeck')]``;
            ``data_preprocessor`` must be :class:`LowResSegDataPreProcessor` of the neck's
            ``scale``.

    Raises:
        TypeError: A cascade; the neck does not end in :class:`SRRNeck`, or the data preprocessor is
            another one.
        ValueError: Their ``scale`` differs, an unknown ``match_size``, a ``teacher_scale``, or, at
            the first training step, a head that reads maps which are not recovered.
    """

    def __init__(
        self,
        *args,
        teacher_ckpt: str | None,
        init_student: bool = True,
        loss_srr: dict = dict(type='mmhires.FeatureL2Loss', reduction='relative'),
        loss_aux: dict = dict(type='mmhires.FeatureL2Loss', reduction='relative', loss_weight=0.5),
        distill_losses: Sequence[dict] = (),
        match_size: str = 'crop',
        **kwargs,
    ) -> None:
        super().__init__(*args, teacher_ckpt=teacher_ckpt, distill_losses=distill_losses, **kwargs)
        if match_size not in ('crop', 'resize'):
            raise ValueError(f"HRFR: match_size must be 'crop' or 'resize', got {match_size!r}")
        self.match_size = match_size
        self.init_student = init_student
        self.loss_srr = MODELS.build(loss_srr)
        self.loss_aux = MODELS.build(loss_aux)
        self._check_parts()

    def _check_parts(self) -> None:
        srr = self.srr_neck
        if not isinstance(srr, SRRNeck):
            raise TypeError(
                'HRFR: the neck, or the last of a list of necks, must be '
                f'mmhires.SRRNeck, got {type(srr).__name__}'
            )
        if not isinstance(self.data_preprocessor, LowResSegDataPreProcessor):
            raise TypeError(
                'HRFR: data_preprocessor must be mmhires.'
                'LowResSegDataPreProcessor, which keeps the full-size image '
                f'for the teacher, got {type(self.data_preprocessor).__name__}'
            )
        if self.data_preprocessor.ratio != as_ratio(srr.scale):
            raise ValueError(
                f'HRFR: SRRNeck(scale={srr.scale}) needs a data preprocessor '
                f'of the same scale, got {self.data_preprocessor.scale}'
            )
        if self.teacher_scale != 1:
            raise ValueError(
                'HRFR: recovered maps have the size of those of the full-size '
                f'image, and teacher_scale={self.teacher_scale} enlarges the '
                "teacher's; leave it at 1"
            )

    @property
    def srr_neck(self) -> nn.Module:
        """The last neck, which recovers features."""
        return self._necks()[-1]

    def _necks(self) -> list[nn.Module]:
        neck = getattr(self, 'neck', None)
        return list(neck) if isinstance(neck, nn.Sequential) else [neck]

    def init_weights(self) -> None:
        """Initialise the student, from the teacher's weights where they fit."""
        super().init_weights()
        if not self.init_student:
            return
        necks = self._necks()[:-1]
        student = dict(
            backbone=self.backbone,
            neck=necks[0] if len(necks) == 1 else nn.Sequential(*necks),
            decode_head=self.decode_head,
            auxiliary_head=getattr(self, 'auxiliary_head', None),
        )
        for name, module in student.items():
            source = getattr(self.load_teacher(), name, None)
            if source is not None and module is not None:
                _copy_weights(name, source, module)

    def _load_from_state_dict(self, state_dict: dict, prefix: str, *args, **kwargs) -> None:
        neck, first = f'{prefix}neck.', f'{prefix}neck.0.'
        keys = [key for key in state_dict if key.startswith(neck)]
        # Of the plain network, whose neck is the first of two here.
        if len(self._necks()) == 2 and not any(key.startswith(first) for key in keys):
            for key in keys:
                state_dict[first + key.removeprefix(neck)] = state_dict.pop(key)
        super()._load_from_state_dict(state_dict, prefix, *args, **kwargs)

    def losses_of(
        self, inputs: Tensor, data_samples: SampleList, supervised: bool
    ) -> tuple[dict, dict]:
        """Losses of equation 10.

        Args:
            inputs: Reduced images ``(N, 3, H, W)``.
            data_samples: With ``gt_img`` of full size and, if there are labels, ``gt_sem_seg``.
            supervised: Whether there are.

        Returns:
            Those of the heads, and those of distillation and ``srr_{i}.loss_l2`` for each recovered
            map i.

        Raises:
            ValueError: A map of the student and the teacher's differ in width or stride.
        """
        maps = self.unrecovered(inputs)
        auxiliary = self.srr_neck.recover_auxiliary(maps)
        maps = list(self.srr_neck(maps))
        taught = self.teach(data_samples)
        targets, label = taught[MAPS], self.label_of(data_samples, taught)

        losses = {}
        pairs = [(self.loss_srr, maps, i) for i in self.srr_neck.in_index]
        pairs += [(self.loss_aux, auxiliary, i) for i in auxiliary]
        for loss, feats, i in pairs:
            feats[i] = self.match(feats[i], targets, i)
            name = f'srr_{i % len(targets)}.{loss.loss_name}'
            losses[name] = compare(loss, feats[i], targets[i], **label)
        maps = ReadMaps(maps)
        run = self._decode_head_forward_train if supervised else self.run_head
        with record(self) as mine:
            own = run(maps, data_samples)
        self._check_recovered(maps)
        if supervised and self.with_auxiliary_head:
            own.update(self._auxiliary_head_forward_train(maps, data_samples))
        mine[MAPS] = maps
        return own, {**losses, **self.distill(mine, taught, data_samples, label)}

    def _check_recovered(self, maps: ReadMaps) -> None:
        """Raise an error for a head that mixes recovered maps with small ones."""
        recovered = {i % len(maps) for i in self.srr_neck.in_index}
        small = sorted(maps.read - recovered)
        if small:
            raise ValueError(
                f'HRFR: {type(self.decode_head).__name__} reads the maps '
                f'{sorted(maps.read)}, of which SRRNeck recovers '
                f'{sorted(recovered)}: it would predict at the size of the '
                f'reduced image. Add {small} to in_index of SRRNeck, with '
                'their in_channels and bottleneck'
            )

    def unrecovered(self, inputs: Tensor) -> Sequence[Tensor]:
        """Return the maps that :class:`SRRNeck` reads.

        Args:
            inputs: Reduced images ``(N, 3, H, W)``.

        Returns:
            ``(N, C_i, H_i, W_i)``.
        """
        maps = self.backbone(inputs)
        for neck in self._necks()[:-1]:
            maps = neck(maps)
        return maps

    def match(self, feat: Tensor, targets: Sequence[Tensor], index: int) -> Tensor:
        """Resize a recovered map to the teacher's size.

        Args:
            feat: ``(N, C, H, W)``.
            targets: Maps of the teacher.
            index: Which of them it recovers.

        Returns:
            Of the size of that one.

        Raises:
            ValueError: Widths or strides differ.
        """
        widths = [target.shape[1] for target in targets]
        if not (-len(widths) <= index < len(widths) and widths[index] == feat.shape[1]):
            raise ValueError(
                f'HRFR: map {index} of the student has {feat.shape[1]} '
                f'channels, and the maps of the teacher have {widths}; the '
                'widths of maps that are recovered must agree'
            )
        size, full_size = feat.shape[-2:], targets[index].shape[-2:]
        surplus = [got - wanted for got, wanted in zip(size, full_size)]
        scale = self.srr_neck.scale
        if max(surplus) > scale or min(surplus) < -scale:
            raise ValueError(
                f'HRFR: map {index} of the student is {tuple(size)} after '
                f'recovery by {scale}, the one of the teacher '
                f'{tuple(full_size)}; their strides must agree'
            )
        if not any(surplus):
            return feat
        if self.match_size == 'resize' or min(surplus) < 0:
            return F.interpolate(feat, full_size, mode='bilinear')
        return feat[..., : full_size[0], : full_size[1]]

    def switch_to_deploy(self, test_cfg: dict | None = None) -> None:
        """Remove the teacher and the auxiliary SRR modules permanently."""
        super().switch_to_deploy(test_cfg)
        self.srr_neck.switch_to_deploy()


def _copy_weights(name: str, source: nn.Module, module: nn.Module) -> None:
    try:
        module.load_state_dict(source.state_dict())
    except RuntimeError as error:
        raise ValueError(
            f'HRFR: the student cannot start from the teacher, whose {name} '
            'has other layers; init_student=False leaves the start to the '
            f"student's own init_cfg ({first_line(error)})"
        ) from error

# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""A frozen full-size teacher for a model of any task."""

import copy
from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from mmhires.models.low_res.reduction import full_size_images
from mmhires.models.recording import MAPS, OUTPUTS, compare, head_of, record
from mmhires.models.unlabelled import is_unlabelled, split_by_labels
from mmhires.registry import MODELS
from mmhires.tasks import task_of

from .places import LOGITS, align, pick, read_places
from .teacher import build_teacher, check_same_images, with_full_size


class Distillation:
    """Mixin that adds a frozen teacher and distillation losses.

    In training the teacher reads the full-size images that the data preprocessor keeps as
    ``gt_img``, once a step, and each loss compares a tensor of the student with one of the teacher.
    Images without labels, of :class:`PartlyLabelledDataset`, have these losses only; batch norm
    sees them as a batch of their own. The teacher is not a submodule: it is in no checkpoint,
    optimizer, gradient synchronisation or switch of training mode. It is built and its checkpoint
    read when weights are initialised, resumed runs included, or by the first training step; testing
    needs neither.

    What is taught as ``'logits'`` is what ``predict`` of the head would make of the very pass that
    its losses come from, never an auxiliary output; a head of which that cannot be told is refused
    by the first step. The losses run without ``torch.compile``: ``compile=`` of a config trains the
    same and speeds up nothing.

    Args:
        *args: Of the model.
        teacher: Config of a model of the same task, or a config file whose ``model`` it is. Its
            data preprocessor has to normalise as the student's.
        teacher_ckpt: File or address of its weights. None leaves them to the ``init_cfg`` of
            ``teacher``. Default: None.
        distill_losses: Config of each loss, with the key ``on`` beside it: ``'logits'`` (the
            default; for pose heatmaps or SimCC's bins), ``'features'`` (what the last layer of the
            head reads), the index of a map of the neck or, without one, the backbone, or a pair of
            such for student and teacher. Default: None, that of
            :meth:`default_loss` alone.
        teacher_scale: Enlarges the images that the teacher reads: its stride may be coarse for
            them. Default: 1.0.
        **kwargs: Of the model.

    Raises:
        ValueError: An unknown ``on``.
    """

    def __init__(
        self,
        *args,
        teacher: dict | str,
        teacher_ckpt: str | None = None,
        distill_losses: Sequence[dict] | None = None,
        teacher_scale: float = 1.0,
        **kwargs,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.teacher_scale = teacher_scale
        self._teacher_cfg = copy.deepcopy(teacher)
        self._teacher_ckpt = teacher_ckpt
        # In a list, so that nn.Module does not take it for a part of itself.
        self._teacher: list[nn.Module] = []
        if distill_losses is None:
            distill_losses = [self.default_loss()]
        cfgs = [dict(cfg) for cfg in distill_losses]
        self._on = [read_places(self._name, cfg) for cfg in cfgs]
        self.distill_losses = nn.ModuleList(map(MODELS.build, cfgs))

    @property
    def _name(self) -> str:
        return type(self).__name__

    @property
    def teacher(self) -> nn.Module:
        """The frozen teacher, from :meth:`load_teacher`."""
        return self.load_teacher()

    def load_teacher(self) -> nn.Module:
        """Build the teacher and read its weights, unless that is done.

        Returns:
            The frozen teacher.

        Raises:
            FileNotFoundError: No such checkpoint.
            RuntimeError: Of a model that was switched to deploy.
            ValueError: The checkpoint does not fit the config, or the teacher wants images
                normalised in another way or has other classes.
        """
        if self._teacher:
            return self._teacher[0]
        if self._teacher_cfg is None:
            raise RuntimeError(
                f'{self._name}: the teacher is gone since '
                'switch_to_deploy(); build a new model to train'
            )
        teacher = build_teacher(self._name, self._teacher_cfg, self._teacher_ckpt)
        self._check_teacher(teacher)
        parameter = next(self.parameters())
        teacher.to(parameter.device, parameter.dtype).eval().requires_grad_(False)
        self._teacher.append(teacher)
        return teacher

    def _check_teacher(self, teacher: nn.Module) -> None:
        check_same_images(self._name, teacher.data_preprocessor, self.data_preprocessor)
        # Heads of other kinds are refused by what they return.
        mine, wanted = (getattr(head_of(model), 'out_channels', None) for model in (self, teacher))
        if (LOGITS, LOGITS) in self._on and None not in (mine, wanted) and mine != wanted:
            raise ValueError(
                f'{self._name}: the teacher predicts {wanted} maps, the '
                f'student {mine}; a loss on logits needs the same classes'
            )

    def _apply(self, fn: Callable, *args, **kwargs) -> nn.Module:
        for teacher in self._teacher:
            teacher._apply(fn, *args, **kwargs)
        return super()._apply(fn, *args, **kwargs)

    def init_weights(self) -> None:
        """Initialise the student, and read the teacher's weights."""
        super().init_weights()
        self.load_teacher()  # its errors belong before training

    @torch.compiler.disable  # its graph would not have what hooks record
    def loss(self, inputs: Tensor, data_samples: Sequence) -> dict:
        """Compute the student's own losses and those of distillation.

        Args:
            inputs: Input of the student ``(N, 3, H, W)``.
            data_samples: As the data preprocessor leaves them.

        Returns:
            The losses of the heads, and ``{on}.{loss_name}`` of each distillation loss, the mean
            over all images; ``on`` is ``logits``, ``features`` or ``map_{index}``.

        Raises:
            KeyError: A sample has no ``gt_img``.
            ValueError: Maps that cannot be compared.
        """
        data_samples = with_full_size(self, inputs, data_samples)
        own, taught = {}, {}
        parts = split_by_labels(data_samples)
        for supervised, indices in parts:
            images = inputs if len(parts) == 1 else inputs[indices]
            part = [data_samples[i] for i in indices]
            own_losses, taught_losses = self.losses_of(images, part, supervised)
            own.update(own_losses)
            share = len(indices) / len(data_samples)
            for name, loss in taught_losses.items():
                taught[name] = taught.get(name, 0) + share * loss
        return {**own, **taught}

    def losses_of(
        self, inputs: Tensor, data_samples: Sequence, supervised: bool
    ) -> tuple[dict, dict]:
        """Losses of images that all have labels or all have none.

        Args:
            inputs: Input of the student ``(N, 3, H, W)``.
            data_samples: With full-size ``gt_img``.
            supervised: Whether they have labels.

        Returns:
            Those of the heads, and of distillation.
        """
        with record(self) as mine:
            if supervised:
                own = super().loss(inputs, data_samples)
            else:
                own = self.run_head(self.extract_feat(inputs), data_samples)
        taught = self.teach(data_samples)
        label = self.label_of(data_samples, taught)
        return own, self.distill(mine, taught, data_samples, label)

    def teach(self, data_samples: Sequence) -> dict:
        """Run the teacher on the full-size images.

        Args:
            data_samples: With full-size ``gt_img``.

        Returns:
            As of :func:`record`, with ``'logits'``, as far as the teacher's modules run.
        """
        images = full_size_images(self, data_samples, 'the teacher', task_of(self).preprocessor)
        scale = self.teacher_scale
        if scale != 1:
            images = nn.functional.interpolate(images, scale_factor=scale, mode='bicubic')
        teacher = self.load_teacher()
        maps_only = all(isinstance(place, int) for _, place in self._on)
        with torch.no_grad(), record(teacher) as seen:
            if maps_only and not is_unlabelled(data_samples[0]):
                teacher.extract_feat(images)  # its head need not run
            else:
                seen[LOGITS] = self.teacher_logits(teacher, images, data_samples)
        return seen

    def distill(self, mine: dict, wanted: dict, data_samples: Sequence, label: dict) -> dict:
        """Compare the outputs of student and teacher.

        Args:
            mine: Of the student, as :func:`record` fills it.
            wanted: Of the teacher, as :meth:`teach` returns it.
            data_samples: Data samples.
            label: Of ``label_of``, for losses that look at labels.

        Returns:
            As of :meth:`loss`.
        """
        losses = {}
        if any(place == LOGITS for place, _ in self._on):
            mine = dict(mine, logits=self._own_logits(mine, data_samples))
        for loss, (student, teacher) in zip(self.distill_losses, self._on):
            target = pick(self._name, wanted, teacher, 'teacher')
            feat = pick(self._name, mine, student, 'student')
            feat = align(self._name, feat, target, student)
            name = f'map_{student % len(mine[MAPS])}' if isinstance(student, int) else student
            key = getattr(loss, 'loss_name', f'loss_{type(loss).__name__.lower()}')
            labels = self.label_at(label, student)
            losses[f'{name}.{key}'] = compare(loss, feat, target, **labels)
        return losses

    @abstractmethod
    def default_loss(self) -> dict:
        """Return the config of a loss of the logits."""

    @abstractmethod
    def teacher_logits(self, teacher: nn.Module, images: Tensor, data_samples: Sequence) -> Tensor:
        """Predict with the teacher.

        Args:
            teacher: The teacher.
            images: Normalised, enlarged by ``teacher_scale``, ``(N, C, H, W)``.
            data_samples: With ``gt_img``.

        Returns:
            A map as of :meth:`predicted`.
        """

    @abstractmethod
    def predicted(self, args: tuple, output: Any, data_samples: Sequence) -> Tensor:
        """Return the prediction of the student's head, from a training pass.

        Args:
            args: Arguments of its ``forward``.
            output: Of its ``forward``.
            data_samples: With ``gt_img``.

        Returns:
            What ``'logits'`` are of this task, ``(N, C, H, W)``.

        Raises:
            ValueError: It cannot be told from ``output``.
        """

    @abstractmethod
    def label_of(self, data_samples: Sequence, taught: dict) -> dict:
        """Return labels as keyword arguments of losses.

        The predictions in ``taught``, of :meth:`teach`, are those of images that have none.
        """

    def label_at(self, label: dict, on: int | str) -> dict:
        """Return those of ``label_of`` that a loss takes which compares ``on``."""
        return label

    def _own_logits(self, mine: dict, data_samples: Sequence) -> Tensor:
        """Return the student's prediction of this pass."""
        calls = mine[OUTPUTS]
        if len(calls) != 1:
            raise ValueError(
                f"{self._name}: on='logits', but {type(head_of(self)).__name__} ran its forward() "
                f'{len(calls)} times for its losses, where one was expected: what it would predict '
                'is not known; use the index of a map'
            )
        ((args, output),) = calls
        return self.predicted(args, output, data_samples)

    def switch_to_deploy(self, test_cfg: dict | None = None) -> None:
        """Remove the teacher and its losses permanently.

        MMPose's estimators pass ``test_cfg``.
        """
        self._teacher_cfg = None
        self._teacher.clear()
        self.distill_losses, self._on = nn.ModuleList(), []

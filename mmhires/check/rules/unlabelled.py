# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Pictures without labels that nothing would learn from."""

from mmseg.models.segmentors import EncoderDecoder, MultimodalEncoderDecoder

from mmhires.datasets.partly_labelled import PartlyLabelledDataset, list_pictures, pictures_in_batch
from mmhires.dryrun.attempts import tried
from mmhires.dryrun.config_tree import component
from mmhires.models.segmentors import HRFR, DistilledSegmentor

from ..context import Context
from ..datasets import DataSet
from ..finding import Finding, Findings
from ..remedies import from_error

OUTERMOST = 'train_dataloader.dataset'


def findings(ctx: Context) -> Findings:
    """Check each :class:`PartlyLabelledDataset`: its place, its folder and its teacher."""
    for dataset in ctx.datasets:
        if _is_a(PartlyLabelledDataset, dataset.cfg):
            yield from _place_findings(ctx, dataset)
            yield from _folder_findings(ctx, dataset)
            yield from _teacher_findings(ctx)


def _is_a(base: type, cfg: dict) -> bool:
    kind = component(cfg.get('type', ''))
    return isinstance(kind, type) and issubclass(kind, base)


def _place_findings(ctx: Context, dataset: DataSet) -> Findings:
    if dataset.split != 'train':
        yield Finding(
            'build',
            dataset.key,
            'pictures without labels cannot be evaluated',
            'take the data set inside PartlyLabelledDataset alone',
        )
    elif dataset.key != OUTERMOST:
        outer = ctx.cfg.train_dataloader.dataset.type
        yield Finding(
            'build',
            dataset.key,
            f'PartlyLabelledDataset makes whole batches, and {outer} asks it for single samples',
            f'put {outer} inside it, as its dataset',
        )


def _folder_findings(ctx: Context, dataset: DataSet) -> Findings:
    size = (ctx.cfg.get('train_dataloader') or {}).get('batch_size')
    labelled = size if isinstance(size, int) else 1
    count, error = tried(pictures_in_batch, labelled, dataset.cfg.get('ratio', 1.0))
    if error:
        yield from_error(f'{dataset.key}.ratio', error)
    elif 'unlabelled' in dataset.cfg:
        _, error = tried(list_pictures, dataset.cfg['unlabelled'], count)
        if error:
            yield from_error(f'{dataset.key}.unlabelled', error, 'missing')


def _teacher_findings(ctx: Context) -> Findings:
    model = ctx.cfg.model
    losses = model.get('distill_losses')
    loss = getattr(component(model.type), 'loss', None)
    # As long as it is this one, it refuses them; a model of the user's may have losses for them.
    if loss in (EncoderDecoder.loss, MultimodalEncoderDecoder.loss):
        yield Finding(
            'build',
            'model.type',
            f'{model.type} has no teacher, and without one pictures without labels teach nothing',
            "take type='mmhires.DistilledSegmentor' with teacher and teacher_ckpt, or remove "
            'PartlyLabelledDataset',
        )
    elif (
        losses is not None
        and _is_a(DistilledSegmentor, model)
        and not _is_a(HRFR, model)
        and not any(cfg.get('loss_weight', 1.0) for cfg in losses)
    ):
        yield Finding(
            'build',
            'model.distill_losses',
            'no loss compares student and teacher, so pictures without labels teach nothing',
            "give one, such as dict(type='mmhires.LogitDistillLoss', loss_weight=3.0)",
        )

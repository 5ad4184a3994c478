# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Teachers without weights, which teach noise."""

from collections.abc import Iterator, Mapping, Sequence

from mmengine.config import Config

from mmhires.dryrun.attempts import tried
from mmhires.dryrun.config_tree import each
from mmhires.utils.configs import walk

from ..context import Context
from ..finding import Finding, Findings
from ..remedies import from_error


def findings(ctx: Context) -> Findings:
    """Warn of teachers of which nothing gives a part its weights."""
    for key, model in walk('model', ctx.cfg.model):
        if 'teacher' not in model or model.get('teacher_ckpt') is not None:
            continue
        teacher = model['teacher']
        if isinstance(teacher, str):
            cfg, error = tried(Config.fromfile, teacher)
            if error:
                yield from_error(f'{key}.teacher', error, 'missing')
            teacher = cfg and cfg.get('model')
        if not isinstance(teacher, Mapping):
            continue
        names = ['backbone', 'neck'] + [ctx.task.head] * (not _maps_only(model))
        random = list(_random_parts(teacher, names))
        if random:
            yield Finding(
                'checkpoint',
                f'{key}.teacher_ckpt',
                f'None, and the teacher has no other weights for '
                f'{" and ".join(random)}: it teaches noise',
                'set it to the checkpoint of a trained full-size network',
                'warning',
            )


def _random_parts(teacher: Mapping, names: Sequence[str]) -> Iterator[str]:
    """Iterate over keys of the parts that start at random."""
    if _pretrained(teacher):
        return
    for name in names:
        for key, part in each(name, teacher.get(name)):
            given = _pretrained(part) or part.get('pretrained')
            if name == 'backbone':
                given = given or teacher.get('pretrained')
            if not given:
                yield key


def _pretrained(part: Mapping) -> bool:
    """Return whether ``init_cfg`` reads a checkpoint."""
    return any(
        cfg.get('type') == 'Pretrained' and cfg.get('checkpoint')
        for _, cfg in walk('', part.get('init_cfg'))
    )


def _maps_only(model: Mapping) -> bool:
    """Return whether no loss uses the output of the teacher's head."""
    losses = model.get('distill_losses')
    if losses is None:  # HRFR's are of maps, the others' of logits
        return 'HRFR' in str(model.get('type'))
    places = [loss.get('on', 'logits') for loss in losses]
    pairs = [on if isinstance(on, (list, tuple)) else [on] for on in places]
    return all(isinstance(pair[-1], int) for pair in pairs)

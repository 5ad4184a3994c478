# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Teachers that know nothing."""
from collections.abc import Iterator, Mapping, Sequence

from mmengine.config import Config

from .problem import Problems
from .walk import each, walk

PARTS = ('backbone', 'neck', 'decode_head', 'head')


def check_teachers(problems: Problems, cfg: Config) -> None:
    """Warn of teachers of which nothing gives a part its weights.

    Args:
        problems: What is found is added.
        cfg: The whole config.
    """
    for key, model in walk('model', cfg.model):
        if 'teacher' not in model or model.get('teacher_ckpt') is not None:
            continue
        teacher = model['teacher']
        if isinstance(teacher, str):
            with problems.catch(f'{key}.teacher', 'missing'):
                teacher = Config.fromfile(teacher)['model']
        if not isinstance(teacher, Mapping):
            continue
        names = PARTS[:2] if _maps_only(model) else PARTS
        random = list(_random_parts(teacher, names))
        if random:
            problems.add(
                'checkpoint', f'{key}.teacher_ckpt',
                f'None, and the teacher has no other weights for '
                f'{" and ".join(random)}: it teaches noise',
                'set it to the checkpoint of a trained full-size network',
                True)


def _random_parts(teacher: Mapping, names: Sequence[str]) -> Iterator[str]:
    """Yield those of some parts that start at random."""
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
    """Whether ``init_cfg`` reads a checkpoint."""
    return any(
        cfg.get('type') == 'Pretrained' and cfg.get('checkpoint')
        for _, cfg in walk('', part.get('init_cfg')))


def _maps_only(model: Mapping) -> bool:
    """Whether no loss looks at what the teacher's head makes."""
    losses = model.get('distill_losses')
    if losses is None:  # HRFR's are of maps, the others' of logits
        return 'HRFR' in str(model.get('type'))
    places = [loss.get('on', 'logits') for loss in losses]
    pairs = [on if isinstance(on, (list, tuple)) else [on] for on in places]
    return all(isinstance(pair[-1], int) for pair in pairs)

# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Numbers of classes and keypoints: heads, losses and data sets."""
from . import probe
from .problem import Problems
from .walk import first, walk

# Of boundaries, whatever the classes are.
OTHER_CLASSES = ('STDCHead', )


def check_classes(problems: Problems, cfg, metas: dict) -> None:
    """Compare every head with the data set it trains on.

    Args:
        problems (Problems): What is found is added.
        cfg (Config): The whole config.
        metas (dict[str, dict]): Meta information of data sets by key.
    """
    dataset, meta = next(iter(metas.items()), ('', {}))
    classes, keypoints = meta.get('classes'), meta.get('num_keypoints')
    if keypoints is not None and probe.is_topdown(cfg.model):
        head = cfg.model.get('head') or {}
        head = head.get('heatmap_head', head)
        # Combined heatmaps of UDP have two maps of offsets for each.
        combined = 'combined' in str(head.get('decoder'))
        _compare(problems, 'model.head.out_channels', head.get('out_channels'),
                 {keypoints * (3 if combined else 1)},
                 f'{dataset} has {keypoints} keypoints')
    if keypoints is not None or classes is None:
        return
    wanted, says = len(classes), f'{dataset} has'
    mapped = first(cfg.get('test_evaluator'), 'class_map')
    if mapped is not None:  # a network of another data set's classes
        wanted, says = len(mapped), 'class_map of test_evaluator has'
    says = f'{says} {wanted} classes'
    # Outputs that no label has, behind the others.
    named = (cfg.get('dataset_meta') or {}).get('classes', ())
    more = len(named) if tuple(named[:wanted]) == tuple(classes) else wanted
    # A teacher's features are used, never its classes.
    for key, part in walk('model', cfg.model, ('teacher', 'backbone')):
        if part.get('type') not in OTHER_CLASSES:
            _compare(problems, f'{key}.num_classes', part.get('num_classes'),
                     {wanted, more}, says)
            # One more is the "no object" of heads that predict masks.
            _compare(problems, f'{key}.class_weight', part.get('class_weight'),
                     {wanted, wanted + 1, more}, says)
    for other, its in metas.items():
        if its.get('classes') != classes:
            problems.add(
                'classes', f'{other}.metainfo',
                f'{len(its.get("classes") or ())} classes, other ones than '
                f'the {len(classes)} of {dataset}', 'train, validate and '
                'test on the same classes in the same order', mapped
                is not None)


def _compare(problems: Problems, key: str, value, allowed: set[int],
             says: str) -> None:
    """Compare a number, or the length of a list of weights."""
    count, seen = value, value
    if isinstance(value, (list, tuple)):
        count, seen = len(value), f'{len(value)} weights'
    if isinstance(count, int) and count not in allowed:
        problems.add('classes', key, f'{seen}, but {says}',
                     f'make it {min(allowed)}, or correct the data set')

# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Numbers of classes and keypoints: heads, losses and data sets."""
from .problem import Problem
from .walk import walk

# Of boundaries, whatever the classes are.
OTHER_CLASSES = ('STDCHead', )


def check_classes(cfg, metas: dict) -> list[Problem]:
    """Compare every head with the data set it trains on.

    Args:
        cfg (Config): The whole config.
        metas (dict[str, dict]): Meta information of data sets by key.

    Returns:
        list[Problem]: Problems.
    """
    if not metas:
        return []
    key, meta = next(iter(metas.items()))
    problems = []
    classes, keypoints = meta.get('classes'), meta.get('num_keypoints')
    if keypoints is not None and cfg.model.type != 'TopdownPoseEstimator':
        return []
    if keypoints is not None:
        head = cfg.model.get('head') or {}
        head = head.get('heatmap_head', head)
        count = head.get('out_channels')
        if isinstance(count, int) and count != keypoints:
            problems.append(
                _wrong('model.head.out_channels', count, key, keypoints,
                       'keypoints'))
        return problems
    if classes is None:
        return []
    wanted, mapped = len(classes), _class_map(cfg)
    if mapped is not None:  # a network of another data set's classes
        key, wanted = 'class_map of test_evaluator', len(mapped)
    # Outputs that no label has, behind the others.
    named = (cfg.get('dataset_meta') or {}).get('classes', ())
    more = len(named) if tuple(named[:wanted]) == tuple(classes) else wanted
    # A teacher's features are used, never its classes.
    for path, part in walk('model', cfg.model, ('teacher', 'backbone')):
        if part.get('type') in OTHER_CLASSES:
            continue
        count, weights = part.get('num_classes'), part.get('class_weight')
        if isinstance(count, int) and count not in (wanted, more):
            problems.append(
                _wrong(f'{path}.num_classes', count, key, wanted, 'classes'))
        # One more is the "no object" of heads that predict masks.
        if isinstance(
                weights,
            (list, tuple)) and len(weights) not in (wanted, wanted + 1, more):
            problems.append(
                _wrong(f'{path}.class_weight', f'{len(weights)} weights', key,
                       wanted, 'classes'))
    for other, its in metas.items():
        if its.get('classes') != classes:
            problems.append(
                Problem(
                    'classes', f'{other}.metainfo',
                    f'{len(its.get("classes") or ())} classes, other ones '
                    f'than the {len(classes)} of {next(iter(metas))}',
                    'train, validate and test on the same classes in the '
                    'same order', mapped is not None))
    return problems


def _class_map(cfg) -> list | None:
    metrics = cfg.get('test_evaluator') or []
    for metric in metrics if isinstance(metrics, list) else [metrics]:
        if 'class_map' in metric:
            return metric['class_map']
    return None


def _wrong(key: str, seen, dataset: str, wanted: int, what: str) -> Problem:
    return Problem('classes', key,
                   f'{seen}, but {dataset} has {wanted} {what}',
                   f'make it {wanted}, or correct the data set')

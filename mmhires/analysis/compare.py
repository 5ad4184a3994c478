# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Training of configs side by side: same seeds, first weights and budget."""

import copy
import itertools
import os.path as osp
from collections.abc import Sequence

import numpy as np
import torch
from mmengine.config import Config
from mmengine.evaluator import Evaluator
from mmengine.fileio import load
from mmengine.hooks import Hook
from mmengine.registry import init_default_scope
from mmengine.runner import Runner, load_checkpoint, set_random_seed
from mmengine.utils import mkdir_or_exist

from mmhires.engine.latest_checkpoint import find_latest_checkpoint
from mmhires.registry import MODELS
from mmhires.utils.files import open_whole
from mmhires.utils.quiet import silence

from .folders import claim
from .provenance import content_hash, fits, keep, keep_json, origin, say
from .splits import on_split

_NUMBERS = itertools.count()


def save_initial_weights(cfg: Config, seed: int, path: str) -> None:
    """Write the weights that training starts from.

    Two models that share layers but not their number of random draws start differently from one
    seed. Loading this file into both makes the shared layers equal.

    Args:
        cfg: Config whose ``model`` is built. Its ``load_from`` is loaded, too.
        seed: Seed of the initialisation.
        path: File to write.
    """
    set_random_seed(seed)
    init_default_scope(cfg.get('default_scope', 'mmseg'))
    model = MODELS.build(copy.deepcopy(cfg.model))
    with silence():  # every parameter would be listed
        model.init_weights()
        if cfg.get('load_from'):
            load_checkpoint(model, cfg.load_from, 'cpu')
    mkdir_or_exist(osp.dirname(osp.abspath(path)))
    with open_whole(path, 'wb') as file:
        torch.save(dict(state_dict=model.state_dict()), file)


def initial_weights(cfg: Config, seed: int, path: str) -> None:
    """Write the first weights to a file, unless it has them already.

    Args:
        cfg: As there.
        seed: As there.
        path: The file, which is written unless it is just that.
    """
    parts = {key: cfg.get(key) for key in ('model', 'custom_imports')}
    of = origin(parts, start=content_hash(cfg.get('load_from')), seed=seed)
    if not fits(path, of):
        save_initial_weights(cfg, seed, path)
        keep(path, of)


def train_and_test(
    cfg: Config,
    work_dir: str,
    seed: int,
    load_from: str | None = None,
    hooks: Sequence[Hook] = (),
    split: str | None = None,
) -> dict[str, float]:
    """Train one config with one seed and test the last weights.

    A run that was interrupted goes on from its last checkpoint, and one that was finished is read
    from ``work_dir``, if it is of the same config, seed and first weights. What is there of another
    one is moved aside, to ``{work_dir}-old1``. The test is one of the checkpoint file, in a runner
    of its own: where an ``EMAHook`` averages the weights it holds the average, of which a runner
    that goes on to test knows nothing.

    Args:
        cfg: A complete config of a runner.
        work_dir: Folder of this run alone.
        seed: Seed of data order, augmentation and new layers.
        load_from: Weights to start from. Default: None.
        hooks: Further hooks of the training. Default: none.
        split: As of :func:`test_weights`. Default: None.

    Returns:
        As of :func:`test_weights`, with the same files.
    """
    cfg = on_split(cfg, split) if split else copy.deepcopy(cfg)
    parts = dict(seed=seed, start=content_hash(load_from))
    tested = origin(cfg, **parts)
    trained = origin(_of_training(cfg), **parts)
    claim(work_dir, trained, load_from)
    measured = _read(work_dir, split, tested)
    if measured:
        return measured
    cfg.randomness = dict(seed=seed)
    last = _last_checkpoint(work_dir)
    if not last or osp.basename(last) != f'iter_{cfg.train_cfg.get("max_iters")}.pth':
        cfg.resume = bool(last)
        # With both, the runner would resume from the first weights.
        start = None if cfg.resume else load_from
        _build_runner(cfg, work_dir, start, hooks, 'train').train()
        last = find_latest_checkpoint(work_dir)
    return _test(cfg, work_dir, last, hooks, split, tested)


def _of_training(cfg: Config) -> dict:
    """Return a config without the keys that only testing reads."""
    content = {
        key: value for key, value in cfg.to_dict().items() if not key.startswith(('test_', 'tta_'))
    }
    model = content['model'] = dict(content['model'])
    model.pop('test_cfg', None)
    if 'data_preprocessor' in model:
        model['data_preprocessor'] = dict(model['data_preprocessor'])
        model['data_preprocessor'].pop('test_cfg', None)
    return content


def test_weights(
    cfg: Config, work_dir: str, load_from: str, hooks: Sequence[Hook] = (), split: str | None = None
) -> dict[str, float]:
    """Test a checkpoint, or read the results of the same test.

    Args:
        cfg: A complete config of a runner.
        work_dir: Folder of this test alone.
        load_from: The checkpoint.
        hooks: Further hooks. Default: none.
        split: What to test on, as of :func:`on_split`. Default: None, as configured.

    Returns:
        What ``test_evaluator`` measured. Beside it, in ``metrics.json`` or
        ``metrics_{split}.json``, ``areas.json`` has what a :class:`ClasswiseIoUMetric` counted:
        ``areas`` (images, 2, classes) of intersection and union, ``classes`` and ``groups``; of a
        :class:`KeypointErrorMetric` its ``areas`` by their names.
    """
    cfg = on_split(cfg, split) if split else copy.deepcopy(cfg)
    of = origin(cfg, weights=content_hash(load_from))
    return _read(work_dir, split, of) or _test(cfg, work_dir, load_from, hooks, split, of)


def _read(work_dir: str, split: str | None, of: dict) -> dict[str, float] | None:
    """Read the results of a test, if they are complete."""
    files = [_file(work_dir, what, split) for what in ('metrics', 'areas')]
    # Each of both says what is wrong with it.
    whole = [fits(file, of) for file in files]
    return load(files[0]) if all(whole) else None


def _test(
    cfg: Config, work_dir: str, load_from: str, hooks: Sequence[Hook], split: str | None, of: dict
) -> dict[str, float]:
    cfg.resume = False
    runner = _build_runner(cfg, work_dir, load_from, hooks, 'test')
    metrics = {name: float(value) for name, value in runner.test().items()}
    for what, content in dict(areas=image_areas(runner.test_evaluator), metrics=metrics).items():
        keep_json(_file(work_dir, what, split), content, of)
    return metrics


def _last_checkpoint(work_dir: str) -> str | None:
    try:
        return find_latest_checkpoint(work_dir)
    except FileNotFoundError:  # there are checkpoints, none of them whole
        say(f'{work_dir} has no whole checkpoint to go on from; it is trained anew')
        return None


def _build_runner(
    cfg: Config, work_dir: str, load_from: str | None, hooks: Sequence[Hook], what: str
) -> Runner:
    cfg.work_dir, cfg.load_from = work_dir, load_from
    # Runners of one process, also two of one folder, keep apart by name; so do
    # what they write scalars by, which else all go to the first one's folder.
    name = osp.join(work_dir, what).replace(osp.sep, '_')
    cfg.experiment_name = f'{name}_{next(_NUMBERS)}'
    if cfg.get('visualizer'):
        cfg.visualizer.name = cfg.experiment_name
    runner = Runner.from_cfg(cfg)
    for hook in hooks:
        runner.register_hook(hook)
    return runner


def _file(work_dir: str, what: str, split: str | None) -> str:
    name = f'{what}_{split}' if split else what
    return osp.join(work_dir, f'{name}.json')


def image_areas(evaluator: Evaluator) -> dict:
    """Areas of each image, where the metrics have measured any.

    Args:
        evaluator: After an evaluation.

    Returns:
        As ``areas.json`` of :func:`test_weights` has them.
    """
    found = {}
    for metric in evaluator.metrics:
        if images := getattr(metric, 'image_areas', None):
            areas = np.stack([torch.stack(image).numpy() for image in images])
            name = dict(IoU='areas').get(metric.quantity, metric.quantity)
            found[name] = areas.astype(int).tolist()
            found['classes'] = list(metric.dataset_meta['classes'])
            found['groups'] = found.get('groups') or metric.groups
        for name, areas in getattr(metric, 'areas', {}).items():
            found[name] = areas.tolist()
    return found

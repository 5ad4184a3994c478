# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Names of published weights, where MMEngine looks for weights and models."""

from collections.abc import Iterator

from mmhires.compat.import_hook import when_imported


def teach() -> None:
    """Have MMEngine know the names of :mod:`mmhires.zoo` once it is imported.

    ``mmhires://NAME`` then is a checkpoint, for ``load_from`` and ``init_cfg`` as well, and
    ``NAME`` a model of ``MMSegInferencer`` and ``MMPoseInferencer``.
    """
    when_imported('mmengine.runner.checkpoint', _teach_checkpoints)
    when_imported('mmengine.infer.infer', _teach_inferencers)


def _teach_checkpoints() -> None:
    from mmengine.runner.checkpoint import CheckpointLoader

    @CheckpointLoader.register_scheme('mmhires://', force=True)
    def load_from_zoo(filename: str, map_location=None) -> dict:
        from .published import load_published

        return load_published(filename.removeprefix('mmhires://'))


def _teach_inferencers() -> None:
    from mmengine.infer.infer import BaseInferencer

    theirs = BaseInferencer._get_models_from_metafile

    def models(folder: str) -> Iterator[dict]:
        yield from theirs(folder)
        from .published import config_folder, published

        for entry in published().values():
            if entry.config:
                # an absolute path, which joined to their folder stays what it is
                config = str(config_folder() / entry.config)
                yield dict(Name=entry.name, Config=config, Weights=f'mmhires://{entry.name}')

    BaseInferencer._get_models_from_metafile = staticmethod(models)

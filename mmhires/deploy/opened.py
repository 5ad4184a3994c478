# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""An exported file in an engine, across threads, forks and pickling."""

import hashlib
import importlib
import threading
import weakref
from pathlib import Path

from .forks import after_fork, computing, in_child, keep_for_ever
from .processor import Array

_opening = threading.Lock()
_opened = weakref.WeakSet()


class OpenedFile:
    """The network of an exported file, as a function of a tensor.

    Any number of threads may call it at once. In the child of a fork, and where it was unpickled,
    it opens its file when it is called, if that is the same still. Copies share the engine.

    Args:
        file: ``.onnx`` or ``.pt2``.
        runtime: Name of the module in ``engines/``.
        device: As of :class:`Predictor`.
        precision: As of :class:`Predictor`.
        threads: As of :class:`Predictor`.

    Attributes:
        spec (dict): The description in the file.

    Raises:
        ImportError: The engine is not installed.
        OSError: The file is gone.
        ValueError: ``device`` or ``precision`` is not there, or the file has changed.
    """

    def __init__(
        self, file: Path, runtime: str, device: str, precision: str | None, threads: int | None
    ) -> None:
        self.file, self.runtime, self.device = file.absolute(), runtime, device
        self.options = precision, threads
        self.version = _version(file)
        self._network = None
        self._open()

    def __call__(self, image: Array) -> Array:
        """Map ``(N, 3, H, W)`` to the output of the network."""
        if self._network is None:
            with _opening:
                if self._network is None:
                    self._reopen()
        return self._network(image)

    def __copy__(self) -> 'OpenedFile':
        return self

    def __deepcopy__(self, memo: dict) -> 'OpenedFile':
        return self

    def __getstate__(self) -> dict:
        self._refuse_another(_version(self.file))
        return dict(self.__dict__, _network=None, version=_digest(self.file))

    def _open(self) -> None:
        engine = importlib.import_module(f'.engines.{self.runtime}', __package__)
        with computing():
            self._network, self.spec = engine.load(self.file, self.device, *self.options)
        _opened.add(self)

    def _reopen(self) -> None:
        """Open the file in the child of a fork, or after unpickling.

        Not while unpickling: a pool of processes never says what is raised then, and starts others
        for ever.
        """
        if in_child() and not self.device.startswith('cpu'):
            raise RuntimeError(
                f'device {self.device!r} cannot be used in the child of a '
                "fork: start processes by 'spawn'"
            )
        if not self.file.is_file():
            raise FileNotFoundError(
                f'{self.file} is gone, and has to be opened again in another process'
            )
        pickled = isinstance(self.version, str)
        self._refuse_another((_digest if pickled else _version)(self.file))
        self.version = _version(self.file)
        self._open()

    def _refuse_another(self, version: object) -> None:
        if version != self.version:
            raise ValueError(
                f'{self.file} has changed since this Predictor opened it: make another Predictor'
            )


def _version(file: Path) -> tuple[int, int, int]:
    """Return what tells, at no cost, whether a file was rewritten."""
    stat = file.stat()
    return stat.st_mtime_ns, stat.st_size, stat.st_ino


def _digest(file: Path) -> str:
    """Return what tells whether a file is the same on another machine."""
    return hashlib.sha256(file.read_bytes()).hexdigest()


def _begin_child() -> None:
    """Drop the parent's engines."""
    global _opening
    _opening = threading.Lock()
    for opened in list(_opened):
        keep_for_ever(opened._network)
        opened._network = None


after_fork(_begin_child)

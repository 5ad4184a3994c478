# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Networks across a fork of the process.

A fork copies the thread that calls it and no other. In the child, the pools of PyTorch, OpenVINO
and ONNX Runtime have lost their threads: whoever hands them work waits for ever. Hence

- a fork waits until no thread computes, so that no lock is left closed,
- a child computes with one thread of PyTorch,
- what the parent's engines hold is kept, as closing it would wait for the
  threads, and :mod:`.opened` opens the file again.
"""

import ctypes
import os
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

# Seconds that a fork waits for other threads; none computes as long.
PATIENCE = 60
_idle = threading.Condition()
_computing = Counter()  # by thread
_in_child = _torch_is_safe = False


@contextmanager
def computing() -> Iterator[None]:
    """Mark work that a fork must not interrupt."""
    thread = threading.get_ident()
    with _idle:
        _computing[thread] += 1
        _spare_torch()
    try:
        yield
    finally:
        with _idle:
            _computing[thread] -= 1
            if not _computing[thread]:
                del _computing[thread]
                _idle.notify_all()


def in_child() -> bool:
    """Return whether this process was forked after importing this module."""
    return _in_child


def keep_for_ever(thing: object) -> None:
    """Keep an object alive, even when the process ends."""
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(thing))


def after_fork(function: Callable[[], None]) -> None:
    """Call a function in each child before anything else runs there."""
    if hasattr(os, 'register_at_fork'):  # not on Windows, which has no fork
        os.register_at_fork(after_in_child=function)


def _spare_torch() -> None:
    """Stop PyTorch from using threads that the child lacks."""
    global _torch_is_safe
    if _in_child and not _torch_is_safe and 'torch' in sys.modules:
        sys.modules['torch'].set_num_threads(1)
        _torch_is_safe = True


def _wait_for_others() -> None:
    _idle.acquire()
    others = {threading.get_ident()}.issuperset
    _idle.wait_for(lambda: others(_computing), PATIENCE)


def _release() -> None:
    _idle.release()


def _begin_child() -> None:
    global _idle, _in_child, _torch_is_safe
    _idle, _in_child, _torch_is_safe = threading.Condition(), True, False
    mine = _computing[threading.get_ident()]
    _computing.clear()
    if mine:
        _computing[threading.get_ident()] = mine
    if 'onnxruntime' in sys.modules:
        _end_without_destructors()


def _end_without_destructors() -> None:
    """Skip what ONNX Runtime does when the process ends.

    It waits for threads of the parent. Python has ended properly by then.
    """
    libc = ctypes.CDLL(None)
    if hasattr(libc, 'on_exit'):  # of glibc
        libc.on_exit(libc._exit, None)


if hasattr(os, 'register_at_fork'):
    os.register_at_fork(
        before=_wait_for_others, after_in_parent=_release, after_in_child=_begin_child
    )

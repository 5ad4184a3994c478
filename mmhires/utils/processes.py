# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Child processes that end with their parent."""

import contextlib
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import (
    CancelledError,
    Executor,
    Future,
    ProcessPoolExecutor,
    ThreadPoolExecutor,
)
from typing import Any

# Seconds between two looks at the parent.
INTERVAL = 0.5


def end_with_parent() -> None:
    """End this process when its parent ends, even by SIGKILL.

    A killed parent cannot end its children, which would go on training. They look for themselves:
    the id of the parent changes when it is gone, and where it does not (Windows) its end of a pipe
    is closed.
    """
    parent = multiprocessing.parent_process()
    parent_id = os.getppid()

    def follow() -> None:
        while os.getppid() == parent_id and (parent is None or parent.is_alive()):
            time.sleep(INTERVAL)
        os._exit(1)

    threading.Thread(target=follow, daemon=True).start()


def _start_worker() -> None:
    # Ctrl-C is the parent's to answer: it terminates its workers.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end_with_parent()


class _Workers(ProcessPoolExecutor):
    """Spawned processes that end with their parent."""

    def __init__(self, jobs: int) -> None:
        super().__init__(jobs, multiprocessing.get_context('spawn'), initializer=_start_worker)

    def end_processes(self) -> None:
        """End the processes at once; their tasks fail."""
        for process in list(self._processes.values()):
            process.terminate()

    def terminate(self) -> None:
        """End the processes and the waiting tasks at once."""
        self.end_processes()
        self.shutdown(cancel_futures=True)


class _FreshWorkers(ThreadPoolExecutor):
    """:class:`_Workers` with a new process for every task.

    Python 3.10's executor has no ``max_tasks_per_child``. A thread for each process waits for its
    result.
    """

    def __init__(self, jobs: int) -> None:
        super().__init__(jobs)
        self._lock = threading.Lock()
        self._running: set[_Workers] | None = set()

    def submit(self, task: Callable, /, *args, **kwargs) -> Future:
        return super().submit(self._run, task, *args, **kwargs)

    def _run(self, task: Callable, *args, **kwargs) -> Any:
        with _Workers(1) as worker:
            with self._lock:
                if self._running is None:  # terminated
                    raise CancelledError
                self._running.add(worker)
                result = worker.submit(task, *args, **kwargs)
            try:
                return result.result()
            finally:
                with self._lock:
                    if self._running:
                        self._running.discard(worker)

    def terminate(self) -> None:
        """End the processes and the waiting tasks at once."""
        with self._lock:  # none is shut down by its thread meanwhile
            for worker in self._running:
                worker.end_processes()
            self._running = None
        self.shutdown(cancel_futures=True)


@contextlib.contextmanager
def process_pool(jobs: int, fresh: bool = False) -> Iterator[Executor]:
    """Yield a pool of spawned processes that end with the block.

    An error or Ctrl-C in the block terminates the workers at once, where a plain executor would
    first do all that is waiting. The workers of a killed process follow it.

    Args:
        jobs: Number of processes at the same time.
        fresh: Whether every task gets a process of its own.

    Yields:
        The pool.
    """
    pool = (_FreshWorkers if fresh else _Workers)(jobs)
    try:
        yield pool
    except BaseException:
        pool.terminate()
        raise
    finally:
        pool.shutdown()

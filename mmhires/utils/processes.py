# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Child processes that end with their parent, however that ends."""
import contextlib
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor

# Seconds between two looks at the parent.
INTERVAL = 0.5


def end_with_parent() -> None:
    """End this process when its parent does, also by SIGKILL.

    A killed parent cannot end its children, which would go on training. They
    look for themselves: the id of the parent changes when it is gone, and
    where it does not (Windows) its end of a pipe is closed.
    """
    parent = multiprocessing.parent_process()
    parent_id = os.getppid()

    def follow() -> None:
        while os.getppid() == parent_id and (parent is None
                                             or parent.is_alive()):
            time.sleep(INTERVAL)
        os._exit(1)

    threading.Thread(target=follow, daemon=True).start()


def _start_worker() -> None:
    # Ctrl-C is the parent's to answer: it terminates its workers.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end_with_parent()


@contextlib.contextmanager
def process_pool(jobs: int, **kwargs) -> Iterator[ProcessPoolExecutor]:
    """Pool of spawned processes that do not outlive its block.

    An error or Ctrl-C in the block terminates the workers at once, where a
    plain executor would first do all that is waiting. The workers of a killed
    process follow it.

    Args:
        jobs: Number of processes.
        **kwargs: Of :class:`ProcessPoolExecutor`.

    Yields:
        The pool.
    """
    pool = ProcessPoolExecutor(
        jobs,
        multiprocessing.get_context('spawn'),
        initializer=_start_worker,
        **kwargs)
    try:
        yield pool
    except BaseException:
        for process in list(pool._processes.values()):
            process.terminate()
        pool.shutdown(cancel_futures=True)
        raise
    finally:
        pool.shutdown()

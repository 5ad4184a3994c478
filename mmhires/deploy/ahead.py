# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Results computed in a thread ahead of their use."""

import atexit
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from queue import SimpleQueue
from threading import Lock, Semaphore, Thread
from typing import TYPE_CHECKING, TypeVar

import cv2

if TYPE_CHECKING:
    from .predictor import Pipeline

Item = TypeVar('Item')
Result = TypeVar('Result')
_END = object()


class Ahead(Iterator[Result]):
    """Results of a function, computed in a thread some items ahead.

    Closing it waits for the item that is being worked on, but never for the source, which may be a
    camera that gives no more. The thread ends with the source's next item then, or with the
    process.

    Args:
        function: Applied to each item.
        items: The source, which only the thread takes items from. An error that it raises, or the
            function does, is raised here in its turn.
        ahead: How many results may wait, at least 1.
    """

    def __init__(
        self, function: Callable[[Item], Result], items: Iterable[Item], ahead: int
    ) -> None:
        self._results = SimpleQueue()
        self._slots = Semaphore(ahead)
        self._working = Lock()
        self._closed = False
        # A process does not end while an engine computes.
        atexit.register(self.close)
        Thread(target=self._work, args=(function, items), daemon=True).start()

    def __next__(self) -> Result:
        result, error = self._results.get()
        self._slots.release()
        if error is not None:
            raise error
        if result is _END:
            self._results.put((_END, None))  # for whoever asks again
            raise StopIteration
        return result

    def close(self) -> None:
        """End the thread, and release whoever waits for a result."""
        atexit.unregister(self.close)
        self._closed = True
        self._slots.release()
        self._results.put((_END, None))
        with self._working:
            pass

    def _work(self, function: Callable, items: Iterable) -> None:
        """Compute the results, in the thread."""
        try:
            items = iter(items)
            while self._slots.acquire() and not self._closed:
                item = next(items, _END)
                with self._working:
                    if self._closed or item is _END:
                        break
                    self._results.put((function(item), None))
        except BaseException as error:  # raised again where it is asked for
            self._results.put((None, error))
        self._results.put((_END, None))


def predict_ahead(pipeline: 'Pipeline', pairs: Iterable[tuple], ahead: int) -> Iterator[tuple]:
    """Prepare and run images in one thread each.

    Args:
        pipeline: What predicts.
        pairs: An image and what ``pipeline.prepare`` takes, or an error.
        ahead: As of :class:`Ahead`; 0 does without threads.

    Yields:
        Each image and its result, or an error of it.
    """

    def each(function: Callable) -> Callable[[tuple], tuple]:
        """Apply a function to the second of a pair, unless it is an error."""

        def apply(pair: tuple) -> tuple:
            image, value = pair
            if not isinstance(value, Exception):
                try:
                    value = function(value)
                except (OSError, ValueError, MemoryError, cv2.error) as error:
                    value = error
            return image, value

        return apply

    prepare = each(lambda value: pipeline.prepare(*value))
    run = each(lambda job: pipeline.run([job])[0])
    finish = each(pipeline.finish)
    if not ahead:
        yield from map(finish, map(run, map(prepare, pairs)))
        return
    with (
        closing(Ahead(prepare, pairs, ahead)) as prepared,
        closing(Ahead(run, prepared, ahead)) as done,
    ):
        yield from map(finish, done)

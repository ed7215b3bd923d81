"""The batches of a PyDataset in order, made by worker threads or processes."""

from __future__ import annotations

import itertools
import warnings
from collections import deque
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ..utils.seeds import shuffle_generator

if TYPE_CHECKING:
    from concurrent.futures import Executor


class PyBatches:
    """An iterable over a PyDataset; shuffle: in a new order of batches each pass. `count` is None where there is no end."""

    def __init__(self, dataset: Any, shuffle: bool, model: Any) -> None:
        self._dataset, self._shuffle, self._model = dataset, shuffle, model
        self.count: int | None = dataset.num_batches if hasattr(dataset, "num_batches") else len(dataset)
        if self.count == 0:
            raise ValueError(f"the {type(dataset).__name__} has no batches: its length is 0")

    def on_epoch_begin(self) -> None:
        if hasattr(self._dataset, "on_epoch_begin"):
            self._dataset.on_epoch_begin()

    def on_epoch_end(self) -> None:
        if hasattr(self._dataset, "on_epoch_end"):
            self._dataset.on_epoch_end()

    def __iter__(self) -> Iterator[Any]:
        if self.count is None:
            numbers: Iterator[int] = itertools.count()
        elif self._shuffle:
            numbers = iter(shuffle_generator(self._model).permutation(self.count).tolist())
        else:
            numbers = iter(range(self.count))
        workers = self._dataset.workers
        if workers > 1 or (workers and self._dataset.use_multiprocessing):
            pool, call = self._pool(workers)
            ahead = max(self._dataset.max_queue_size, workers, 1)
            # submitted here, so that processes are forked from the caller's thread and not from one that makes batches ahead
            waiting = deque((number, pool.submit(call, number)) for number in itertools.islice(numbers, ahead))
            return self._finished(pool, call, numbers, waiting)
        return (_checked(self._item(number), number, self._dataset) for number in numbers)

    def _item(self, number: int) -> Any:
        try:
            return self._dataset[number]
        except Exception as error:
            error.add_note(f"raised for batch {number} of the {type(self._dataset).__name__}")
            raise

    def _finished(self, pool: Executor, call: Any, numbers: Iterator[int], waiting: deque[tuple[int, Any]]) -> Iterator[Any]:
        """Up to max_queue_size batches are under way; they come in the order of their numbers."""
        try:
            while waiting:
                number, future = waiting.popleft()
                item = _checked(future.result(), number, self._dataset)
                following = next(numbers, None)
                if following is not None:
                    waiting.append((following, pool.submit(call, following)))
                yield item
        finally:
            pool.shutdown(wait=False, cancel_futures=True)

    def _pool(self, workers: int) -> tuple[Executor, Any]:
        from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

        if not self._dataset.use_multiprocessing:
            return ThreadPoolExecutor(workers, "kcompile-worker"), self._item
        # forked, so that the data set need not be picklable; each worker has it from its start
        import multiprocessing

        context = multiprocessing.get_context("fork")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # newer Pythons warn of fork beside threads; ours are renewed in a child
            return ProcessPoolExecutor(workers, context, _serve, (self._dataset,)), _served_item


_served: list[Any] = []


def _serve(dataset: Any) -> None:
    """In a worker process: the data set it serves."""
    _served[:] = [dataset]


def _served_item(number: int) -> Any:
    return _served[0][number]


def _checked(item: Any, number: int, dataset: Any) -> Any:
    if isinstance(item, dict) or hasattr(item, "__array__"):
        return item
    if isinstance(item, (tuple, list)) and len(item) in (1, 2, 3):
        return tuple(item)
    raise ValueError(f"{type(dataset).__name__}.__getitem__({number}) must return (inputs,), (inputs, targets), (inputs, targets, weights) "
                     f"or a dict of inputs; it returned {type(item).__name__}: {item!r:.100}")

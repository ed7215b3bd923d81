"""Data sets whose elements a function of the host makes of numbers: files that are read, windows of an array."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from ..data import AUTOTUNE, Dataset, TensorSpec


class Made(Dataset):
    """The elements of `source` (one number, or a number and a label) with the number replaced by `make` of it.

    make(numbers [n]) gives an array [n, ...] of this spec; it is called on batches, or on single numbers where there are none.
    """

    def __init__(self, source: Dataset, make: Callable[[Any], Any], spec: TensorSpec) -> None:
        self.source, self._make, self._made_spec = source, make, spec

    def _spec(self) -> Any:
        spec = self.source.element_spec
        numbers, *rest = spec if isinstance(spec, tuple) else (spec,)
        made = TensorSpec((*numbers.shape, *(self._made_spec.shape or ())), self._made_spec.dtype)
        return (made, *rest) if rest else made

    def _iterate(self) -> Iterator[Any]:
        for numbers, *rest in self.source._elements():
            made = self._make(np.atleast_1d(numbers))
            yield (made if np.ndim(numbers) else made[0, ...], *rest)


def samples_dataset(make: Callable[[Any], Any], spec: TensorSpec, count: int, labels: Any, batch_size: int | None, shuffle: bool,
                    seed: int, order: Any = None) -> Dataset:
    """A data set of `count` samples that are made when they are wanted, and their labels; shuffled anew for each pass.

    make, spec: as in `Made`, for sample numbers 0 ... count - 1; labels: an array [count, ...] or None; order: the samples in this order.
    """
    numbers = np.arange(count) if order is None else np.asarray(order, np.int64)
    source = Dataset.from_tensor_slices(numbers if labels is None else (numbers, labels[numbers] if order is not None else labels))
    if shuffle:
        source = source.shuffle(1024 if batch_size is None else batch_size * 8, seed=seed)
    if batch_size is not None:
        source = source.batch(batch_size)
    return Made(source, make, spec).prefetch(AUTOTUNE)


class FileReader:
    """Reads the files of sample numbers on several threads and stacks what comes of them.

    read(path) gives one array. One of the errors is raised as it was; with it comes the first, in order.
    """

    def __init__(self, paths: Sequence[str], read: Callable[[str], Any]) -> None:
        self._paths, self._read = paths, read
        self._pool: tuple[int, ThreadPoolExecutor] | None = None

    def __call__(self, numbers: Any) -> Any:
        paths = [self._paths[number] for number in numbers.tolist()]
        found = [self._read(paths[0])] if len(paths) == 1 else list(self._threads().map(self._read, paths))
        stacked = np.empty((len(found), *np.shape(found[0])), object if isinstance(found[0], bytes) else found[0].dtype)
        for number, one in enumerate(found):
            stacked[number] = one
        return stacked

    def _threads(self) -> ThreadPoolExecutor:
        """A pool of this process: after a fork the parent's threads are not there."""
        if self._pool is None or self._pool[0] != os.getpid():
            self._pool = os.getpid(), ThreadPoolExecutor(min(len(os.sched_getaffinity(0)), 16), "kcompile-read")
        return self._pool[1]

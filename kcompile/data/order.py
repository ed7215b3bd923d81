"""Which elements, and in which order: shuffle, repeat, take, skip, shard. The same for arrays and for row numbers."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import numpy as np

from ..utils.seeds import shuffle_generator
from .dataset import INFINITE, UNKNOWN, Dataset, count_argument
from .elements import Element
from .rows import RowPlan

T = TypeVar("T")
Passes = Callable[[], Iterator[T]]  # a new pass at each call


class Ordered(Dataset):
    """A node that passes on some of its source's elements, whatever they are."""

    def _reorder(self, passes: Passes[T]) -> Iterator[T]:
        raise NotImplementedError

    def _iterate(self) -> Iterator[Element]:
        return self._reorder(self.source._elements)

    def _plan(self) -> RowPlan | None:
        plan = self.source._plan()
        return None if plan is None else plan.reordered(self._reorder)


class Shuffle(Ordered):
    """Draws from a buffer. A seed makes the sequence of orders the same in every run."""

    def __init__(self, source: Dataset, buffer_size: Any, seed: int | None, reshuffle: bool) -> None:
        self.source = source
        self._size = count_argument(buffer_size, "buffer_size")
        self._seed = None if seed is None else count_argument(seed, "seed", 0)
        self._reshuffle = reshuffle
        self._passes = 0
        self._fixed: int | None = None

    def _generator(self) -> np.random.Generator:
        """A generator of its own for each pass."""
        if self._seed is None:
            if self._reshuffle or self._fixed is None:
                self._fixed = int(shuffle_generator().integers(2**63))
            return np.random.default_rng(self._fixed)
        number = self._passes if self._reshuffle else 0
        self._passes += 1
        return np.random.default_rng([self._seed, number])

    def _reorder(self, passes: Passes[T]) -> Iterator[T]:
        return self._draws(passes(), self._generator())

    def _draws(self, elements: Iterator[T], generator: np.random.Generator) -> Iterator[T]:
        buffer = list(itertools.islice(elements, self._size))
        if len(buffer) == self._size:
            ahead = 4096  # draws made at once
            places: Iterator[int] = iter(())
            for element in elements:
                place = next(places, -1)
                if place < 0:
                    places = iter(generator.integers(self._size, size=ahead).tolist())
                    place = next(places)
                drawn, buffer[place] = buffer[place], element
                yield drawn
        for place in generator.permutation(len(buffer)).tolist():
            yield buffer[place]


class Repeat(Ordered):
    """Several passes; an empty source ends even an endless repetition."""

    def __init__(self, source: Dataset, count: Any) -> None:
        self.source = source
        self._times = -1 if count is None else count_argument(count, "count", -1)

    def _reorder(self, passes: Passes[T]) -> Iterator[T]:
        numbers = itertools.count() if self._times < 0 else range(self._times)
        for _ in numbers:
            empty = True
            for element in passes():
                empty = False
                yield element
            if empty:
                return

    def _count(self) -> int:
        count = self.source._count()
        if self._times < 0:
            return 0 if count == 0 else INFINITE
        if self._times == 0:
            return 0
        return count if count in (INFINITE, UNKNOWN) else count * self._times


class Take(Ordered):
    """The first elements."""

    def __init__(self, source: Dataset, count: Any) -> None:
        self.source = source
        self._most = count_argument(count, "count", -1)

    def _reorder(self, passes: Passes[T]) -> Iterator[T]:
        return passes() if self._most < 0 else itertools.islice(passes(), self._most)

    def _count(self) -> int:
        count = self.source._count()
        if self._most < 0 or count == UNKNOWN:
            return count
        return self._most if count == INFINITE else min(max(count, 0), self._most)


class Skip(Ordered):
    """All but the first elements."""

    def __init__(self, source: Dataset, count: Any) -> None:
        self.source = source
        self._first = count_argument(count, "count", -1)

    def _reorder(self, passes: Passes[T]) -> Iterator[T]:
        return iter(()) if self._first < 0 else itertools.islice(passes(), self._first, None)

    def _count(self) -> int:
        count = self.source._count()
        if self._first < 0:
            return 0
        return count if count in (INFINITE, UNKNOWN) else max(count - self._first, 0)


class Shard(Ordered):
    """One element of each num_shards."""

    def __init__(self, source: Dataset, num_shards: Any, index: Any) -> None:
        self.source = source
        self._shards = count_argument(num_shards, "num_shards")
        self._index = count_argument(index, "index", 0)
        if self._index >= self._shards:
            raise ValueError(f"`index` must be less than num_shards={self._shards}, received {index!r}")

    def _reorder(self, passes: Passes[T]) -> Iterator[T]:
        return itertools.islice(passes(), self._index, None, self._shards)

    def _count(self) -> int:
        count = self.source._count()
        return count if count in (INFINITE, UNKNOWN) else max(0, -(-(count - self._index) // self._shards))

"""Several data sets as one: side by side, one after another, by choice, by chance."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from ..utils.seeds import shuffle_generator
from .dataset import INFINITE, UNKNOWN, Dataset, count_argument, flat_spec
from .elements import Element, flat, is_dataset, is_structure, pack
from .rows import RowPlan
from .sources import Slices
from .spec import TensorSpec


class Zip(Dataset):
    """Elements side by side."""

    def __init__(self, datasets: Any) -> None:
        if isinstance(datasets, list):
            datasets = tuple(datasets)
        self._structure = datasets
        self._parts: list[Any] = list(flat(datasets))
        if not self._parts or not is_structure(datasets):
            raise TypeError("zip() takes data sets, or a tuple or dict of them" + (
                "" if not self._parts else f"; received {type(datasets).__name__}"))
        _check(self._parts, "zip()")

    def _spec(self) -> Any:
        return pack(self._structure, [part.element_spec for part in self._parts])

    def _spec_is_known(self) -> bool:
        return all(part._spec_is_known() for part in self._parts)

    def _count(self) -> int:
        counts = [part._count() for part in self._parts]
        if UNKNOWN in counts:
            return UNKNOWN
        return min((count for count in counts if count != INFINITE), default=INFINITE)

    def _plan(self) -> RowPlan | None:
        """Arrays side by side are one source of rows."""
        if not all(isinstance(part, Slices) for part in self._parts):
            return None
        rows = min(part._count() for part in self._parts)
        return RowPlan(tuple(column for part in self._parts for column in part.columns), lambda: iter(range(rows)))

    def _iterate(self) -> Iterator[Element]:
        for elements in zip(*(part._elements() for part in self._parts), strict=False):
            yield tuple(leaf for element in elements for leaf in element)


class Several(Dataset):
    """A node over data sets of one structure."""

    def __init__(self, datasets: Sequence[Dataset], what: str) -> None:
        self._datasets = list(datasets)
        if not self._datasets:
            raise ValueError(f"{what} needs at least one data set")
        _check(self._datasets, what)
        self._what = what
        if self._spec_is_known():
            self._spec()

    def _spec_is_known(self) -> bool:
        return all(dataset._spec_is_known() for dataset in self._datasets)

    def _spec(self) -> Any:
        specs = [dataset.element_spec for dataset in self._datasets]
        return common_spec(specs, self._what)

    def _count(self) -> int:
        return UNKNOWN


class Concatenate(Several):
    """One data set after another."""

    def __init__(self, first: Dataset, second: Dataset) -> None:
        super().__init__([first, second], "concatenate()")

    def _count(self) -> int:
        counts = [dataset._count() for dataset in self._datasets]
        for special in (INFINITE, UNKNOWN):
            if special in counts:
                return special
        return sum(counts)

    def _iterate(self) -> Iterator[Element]:
        for dataset in self._datasets:
            yield from dataset._elements()


class Choose(Several):
    """By the numbers of another data set."""

    def __init__(self, datasets: Sequence[Dataset], choices: Dataset, stop_on_empty: bool) -> None:
        super().__init__(datasets, "choose_from_datasets()")
        specs = flat_spec(choices) if is_dataset(choices) else ()
        if len(specs) != 1 or not isinstance(specs[0], TensorSpec) or not specs[0].dtype.is_integer:
            raise TypeError("choose_from_datasets(): `choice_dataset` must be a data set of integer scalars")
        self._choices, self._stop = choices, stop_on_empty

    def _iterate(self) -> Iterator[Element]:
        iterators = [dataset._elements() for dataset in self._datasets]
        ended: set[int] = set()
        for (choice,) in self._choices._elements():
            number = int(choice)
            if not 0 <= number < len(iterators):
                raise ValueError(f"choose_from_datasets(): the choice {number} is outside 0 ... {len(iterators) - 1}")
            element = next(iterators[number], None)
            if element is not None:
                yield element
                continue
            ended.add(number)
            if self._stop or len(ended) == len(iterators):
                return


class Sample(Several):
    """By chance."""

    def __init__(self, datasets: Sequence[Dataset], weights: Any, seed: int | None, stop_on_empty: bool, again: bool | None) -> None:
        super().__init__(datasets, "sample_from_datasets()")
        count = len(self._datasets)
        chances = np.full(count, 1.0 / count) if weights is None else np.asarray(weights, np.float64)
        if chances.shape != (count,) or (chances < 0).any() or not chances.sum() > 0:
            raise ValueError(f"`weights` must be {count} numbers of at least 0 with a positive sum, received {weights!r}")
        self._chances, self._stop = chances / chances.sum(), stop_on_empty
        self._seed = None if seed is None else count_argument(seed, "seed", 0)
        self._again, self._passes = again is not False, 0

    def _iterate(self) -> Iterator[Element]:
        seeds = [int(shuffle_generator().integers(2**63))] if self._seed is None else [self._seed, self._passes if self._again else 0]
        self._passes += 1
        generator = np.random.default_rng(seeds)
        iterators = {number: dataset._elements() for number, dataset in enumerate(self._datasets) if self._chances[number]}
        while iterators:
            numbers = list(iterators)
            chances = self._chances[numbers]
            number = numbers[int(generator.choice(len(numbers), p=chances / chances.sum()))]
            element = next(iterators[number], None)
            if element is not None:
                yield element
            elif self._stop:
                return
            else:
                del iterators[number]


def _check(datasets: Sequence[Any], what: str) -> None:
    for dataset in datasets:
        if not is_dataset(dataset):
            raise TypeError(f"{what} takes data sets, received {type(dataset).__name__}")


def common_spec(specs: Sequence[Any], what: str) -> Any:
    """The narrowest spec of all. Raises TypeError for other structures or dtypes."""
    first = specs[0]
    leaves = [flat(spec) for spec in specs]
    try:
        same = all(pack(first, list(found)) == spec for found, spec in zip(leaves, specs, strict=True))
    except ValueError:
        same = False
    merged = [] if not same else [_merged(group) for group in zip(*leaves, strict=True)]
    if not same or None in merged:
        raise TypeError(f"{what}: the elements differ in structure or dtype: " + " and ".join(map(str, specs)))
    return pack(first, merged)


def _merged(specs: Sequence[Any]) -> Any:
    if all(isinstance(spec, TensorSpec) for spec in specs):
        return specs[0].most_specific_common_supertype(specs[1:])
    return specs[0] if all(spec == specs[0] for spec in specs) else None

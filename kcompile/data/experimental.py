"""kcompile.data.experimental: older names of what Dataset has as methods."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from ..suggest import suggest_names
from .dataset import AUTOTUNE, INFINITE_CARDINALITY, UNKNOWN_CARDINALITY, Dataset, count_argument
from .elements import Element
from .rows import RowPlan

Transformation = Callable[[Dataset], Dataset]


def cardinality(dataset: Dataset) -> Any:
    """dataset.cardinality()."""
    return dataset.cardinality()


def assert_cardinality(expected_cardinality: Any) -> Transformation:
    """For `apply`: say how many elements there are, where it cannot be known. A pass with another number raises ValueError."""
    expected = count_argument(expected_cardinality, "expected_cardinality", -1)
    return lambda dataset: _Asserted(dataset, expected)


class _Asserted(Dataset):
    def __init__(self, source: Dataset, expected: int) -> None:
        self.source, self._expected = source, expected

    def _count(self) -> int:
        return self._expected

    def _plan(self) -> RowPlan | None:
        plan = self.source._plan()
        return None if plan is None else plan.reordered(lambda passes: self._counted(passes()))

    def _iterate(self) -> Iterator[Element]:
        return self._counted(self.source._elements())

    def _counted(self, elements: Iterator[Any]) -> Iterator[Any]:
        number = 0
        for element in elements:
            number += 1
            if 0 <= self._expected < number:
                break
            yield element
        if number != self._expected >= 0 or self._expected < 0:
            raise ValueError(f"assert_cardinality(): expected {'endless' if self._expected < 0 else self._expected} elements, the data set "
                             f"has {'more' if 0 <= self._expected < number else number}")


def enumerate_dataset(start: int = 0) -> Transformation:
    """For `apply`: dataset.enumerate(start)."""
    return lambda dataset: dataset.enumerate(start)


def ignore_errors(log_warning: bool = False) -> Transformation:
    """For `apply`: dataset.ignore_errors()."""
    return lambda dataset: dataset.ignore_errors(log_warning)


def unbatch() -> Transformation:
    """For `apply`: dataset.unbatch()."""
    return lambda dataset: dataset.unbatch()


def unique() -> Transformation:
    """For `apply`: dataset.unique()."""
    return lambda dataset: dataset.unique()


def take_while(predicate: Callable[..., Any]) -> Transformation:
    """For `apply`: dataset.take_while(predicate)."""
    return lambda dataset: dataset.take_while(predicate)


__all__ = ["AUTOTUNE", "INFINITE_CARDINALITY", "UNKNOWN_CARDINALITY", "assert_cardinality", "cardinality", "enumerate_dataset",
           "ignore_errors", "take_while", "unbatch", "unique"]

suggest_names(__name__)

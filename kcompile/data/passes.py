"""Passes over a data set: what goes through its elements, as tensors or as arrays."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from .elements import is_dataset

if TYPE_CHECKING:
    from .dataset import Dataset


class Arrays:
    """A data set as structures of arrays."""

    def __init__(self, dataset: Dataset) -> None:
        self._dataset = dataset

    def __iter__(self) -> Iterator[Any]:
        return self._dataset._structures(lambda element: element)


class DatasetIterator(Iterator[Any]):
    """One pass over a data set."""

    def __init__(self, elements: Iterator[Any], dataset: Dataset) -> None:
        self._elements, self._dataset = elements, dataset

    def __next__(self) -> Any:
        return next(self._elements)

    def get_next(self) -> Any:
        """The next element; StopIteration at the end."""
        return next(self._elements)

    @property
    def element_spec(self) -> Any:
        return self._dataset.element_spec


def as_numpy(leaf: Any) -> Any:
    """A component of an element without tensors: an array, a scalar, or an iterator over what a data set holds."""
    if is_dataset(leaf):
        return leaf.as_numpy_iterator()
    return leaf[()] if not leaf.ndim else leaf

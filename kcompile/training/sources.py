"""Objects that yield batches, known by what they can do: PyDataset, tf.data.Dataset, torch's DataLoader, generators, iterables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..utils.py_dataset import PyDataset
from .batch_feed import MADE_AHEAD
from .py_batches import PyBatches


@dataclass(frozen=True)
class BatchSource:
    """items: an iterable (or iterator) of batches; ahead: how many a thread may ask for before they are needed; count: batches of
    a pass, where it is known; endless: whether it is known never to end."""

    items: Any
    ahead: int = 0
    count: int | None = None
    endless: bool = False


class NumpyItems:
    """A data set of TensorFlow, as numpy arrays."""

    def __init__(self, dataset: Any) -> None:
        self._dataset = dataset

    def __iter__(self) -> Any:
        return self._dataset.as_numpy_iterator()


def source_of_batches(x: Any, shuffle: bool | str = False, model: Any = None) -> BatchSource:
    """How to take batches from x, an iterable, an iterator, or a PyDataset."""
    if isinstance(x, PyDataset) or _is_like_py_dataset(x):
        batches = PyBatches(x, bool(shuffle), model)
        return BatchSource(batches, MADE_AHEAD, batches.count, batches.count is None)
    if hasattr(x, "as_numpy_iterator") and hasattr(x, "element_spec"):  # tf.data.Dataset
        count = int(x.cardinality()) if callable(getattr(x, "cardinality", None)) else -2
        return BatchSource(NumpyItems(x), MADE_AHEAD, count if count >= 0 else None, count == -1)
    ahead = MADE_AHEAD if hasattr(x, "batch_sampler") and hasattr(x, "collate_fn") else 0  # torch's DataLoader
    return BatchSource(x, ahead, _length(x))


def _is_like_py_dataset(x: Any) -> bool:
    """A PyDataset of another Keras: batches by number, with workers."""
    return all(hasattr(x, name) for name in ("__getitem__", "workers", "use_multiprocessing", "max_queue_size"))


def _length(data: Any) -> int | None:
    try:
        return len(data)
    except TypeError:  # a generator; a data set that does not know
        return None

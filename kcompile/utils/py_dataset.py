"""PyDataset: batches by number, made by the user's own Python, by several workers if wanted."""

from __future__ import annotations

from typing import Any

from ..common.users_code import warn


class PyDataset:
    """Base class of data sets with `__getitem__(number)`, which gives a batch (inputs,), (inputs, targets) or (inputs, targets, weights),
    and `__len__`, the number of batches (or a property `num_batches`, None for an endless one).

    workers: how many threads (processes with use_multiprocessing) make batches; max_queue_size: how many are made ahead.
    `on_epoch_begin` and `on_epoch_end` are called around each epoch. Raises ValueError.
    """

    def __init__(self, workers: int = 1, use_multiprocessing: bool = False, max_queue_size: int = 10) -> None:
        for name, value in (("workers", workers), ("max_queue_size", max_queue_size)):
            if isinstance(value, bool) or not isinstance(value, int) or value < 0:
                raise ValueError(f"`{name}` must be an integer of at least 0, received {value!r}")
        self._workers, self._use_multiprocessing, self._max_queue_size = workers, use_multiprocessing, max_queue_size

    def _option(self, name: str, default: Any) -> Any:
        if name not in vars(self):
            warn(f"the class {type(self).__name__} should call super().__init__(**kwargs) in its constructor, where `workers`, "
                 "`use_multiprocessing` and `max_queue_size` are set")
            setattr(self, name, default)
        return vars(self)[name]

    @property
    def workers(self) -> int:
        found: int = self._option("_workers", 1)
        return found

    @workers.setter
    def workers(self, value: int) -> None:
        self._workers = value

    @property
    def use_multiprocessing(self) -> bool:
        found: bool = self._option("_use_multiprocessing", False)
        return found

    @use_multiprocessing.setter
    def use_multiprocessing(self, value: bool) -> None:
        self._use_multiprocessing = value

    @property
    def max_queue_size(self) -> int:
        found: int = self._option("_max_queue_size", 10)
        return found

    @max_queue_size.setter
    def max_queue_size(self, value: int) -> None:
        self._max_queue_size = value

    def __getitem__(self, index: int) -> Any:
        """The batch of this number."""
        raise NotImplementedError(f"{type(self).__name__} must define __getitem__(index), which returns a batch")

    @property
    def num_batches(self) -> int | None:
        """The number of batches; None for an endless data set."""
        if hasattr(self, "__len__"):
            return len(self)
        raise NotImplementedError(f"{type(self).__name__} must define __len__() or the property `num_batches`")

    def on_epoch_begin(self) -> None:
        """Called before each epoch."""

    def on_epoch_end(self) -> None:
        """Called after each epoch; the place to shuffle."""


Sequence = PyDataset

"""Where a `fit` stands: epoch, step, place in the data, row order. Callbacks keep it in backups, and an interrupted run goes on from it."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..utils import seeds
from .feeds import Feed


class Run:
    """One call of `fit`. A pass is one time through the data; with steps_per_epoch it may end in the middle of an epoch."""

    def __init__(self, model: Any, feed: Feed) -> None:
        self._model, self._feed = model, feed
        self._order: Any = None  # state of the generator of row orders before this pass
        self._before = 0  # batches of this pass that were taken before this epoch
        self._resumed: dict[str, Any] | None = None

    def resume(self, record: dict[str, Any]) -> None:
        """Go on from what `record` gave in another process."""
        self._resumed = dict(record)

    def first_epoch(self, given: int) -> int:
        return given if self._resumed is None else int(self._resumed["next_epoch"])

    def begin_epoch(self) -> int:
        """Start the feed's epoch; how many steps of it were done before an interruption."""
        resumed, self._resumed = self._resumed, None
        if resumed is None:
            if not self._feed.in_pass:
                self._order, self._before = self._order_now(), 0
            self._feed.start_epoch()
            self._model.reset_metrics()
            return 0
        generator = seeds.generator_of(resumed.get("order"))
        if generator is not None:
            seeds.give_generator(self._model, generator)
        step, position = int(resumed.get("step", 0)), int(resumed.get("position", 0))
        self._order, self._before = self._order_now(), position - step
        self._feed.start_epoch()
        self._feed.skip(position)
        if position and not step and not self._feed.has_next():  # the pass had come to its end
            self._order, self._before = self._order_now(), 0
            self._feed.start_epoch()
        self._model.reset_metrics()
        _assign(self._model.metrics_variables, resumed.get("metrics"))
        return step

    def end_epoch(self, steps: int) -> None:
        """After an epoch and, where the next one begins at the first row, the feed's rewind."""
        self._before += steps

    def record(self, next_epoch: int, step: int = 0) -> dict[str, Any]:
        """Plain data to go on from: step 0 is the beginning of an epoch."""
        found: dict[str, Any] = {"next_epoch": next_epoch, "step": step, "position": 0, "order": self._order_now()}
        if step or self._feed.in_pass:
            found.update(position=self._before + step, order=self._order)
        if step:
            found["metrics"] = [variable.array.tolist() for variable in self._model.metrics_variables]
        return found

    def _order_now(self) -> dict[str, Any]:
        return seeds.generator_state(seeds.shuffle_generator(self._model))


def _assign(variables: list[Any], values: Any) -> None:
    """Give metrics their values back, where they are those of the same metrics."""
    if not isinstance(values, list) or len(values) != len(variables):
        return
    arrays = [np.asarray(value, variable.array.dtype) for variable, value in zip(variables, values, strict=True)]
    if all(array.shape == variable.array.shape for array, variable in zip(arrays, variables, strict=True)):
        for variable, array in zip(variables, arrays, strict=True):
            variable.assign(array)

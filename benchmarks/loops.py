"""Epochs written out in Python, for the engines that have no `fit`."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from worker import timed
from workloads import epochs


class Epochs:
    """`epoch(x, y, batch)` trains once over shuffled rows and returns the loss; `prepare` makes its operands from numpy arrays.

    An epoch has `steps` steps, those of the workload, as in the engines that have a `fit`.
    """

    def __init__(self, epoch: Callable[..., float], data, batch: int, steps: int, times: dict[str, float],
                 prepare=lambda x, y: (x, y)) -> None:
        self.epoch, self.batch, self.steps = epoch, batch, steps
        one = prepare(*data(batch, np.random.default_rng(0)))
        self.started = {**times, "first_step_s": timed(lambda: epoch(*one, batch)),
                        "again_s": min(timed(lambda: epoch(*one, batch)) for _ in range(3))}
        self.arrays = prepare(*data(steps * batch, np.random.default_rng(1)))
        self.one_epoch = self._epochs(1)[0]

    def _epochs(self, count: int) -> list[float]:
        """Seconds of each epoch but the first."""
        losses: list[float] = []
        found = [timed(lambda: losses.append(self.epoch(*self.arrays, self.batch))) for _ in range(1 + count)][1:]
        if not math.isfinite(losses[-1]):
            raise SystemExit("the loss is not finite: nothing here counts")
        return found

    def measure(self, seconds: float) -> dict[str, list[float]]:
        found = self._epochs(epochs(seconds, self.one_epoch))
        return {"own loop": [1e3 * one / self.steps for one in found]}

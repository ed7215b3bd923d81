"""Epochs written out in Python, for the engines that have no `fit`."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from worker import timed

MOST_BYTES = 256 << 20


class Epochs:
    """`epoch(x, y, batch)` trains once over shuffled rows and returns the loss; `prepare` makes its operands from numpy arrays."""

    def __init__(self, epoch: Callable[..., float], data, batch: int, times: dict[str, float], prepare=lambda x, y: (x, y)) -> None:
        self.epoch, self.data, self.batch, self.prepare = epoch, data, batch, prepare
        x, y = data(batch, np.random.default_rng(0))
        self.row_bytes = (x.nbytes + y.nbytes) / batch
        one = prepare(x, y)
        self.started = {**times, "first_step_s": timed(lambda: epoch(*one, batch)),
                        "again_s": min(timed(lambda: epoch(*one, batch)) for _ in range(3))}
        steps = 4
        while (seconds := self._seconds(steps)) < 0.1 and steps * 8 <= self._most():
            steps *= 8
        self.step = seconds / steps
        self.arrays = None

    def _most(self) -> int:
        return max(4, int(MOST_BYTES / self.row_bytes / self.batch))

    def _seconds(self, steps: int) -> float:
        arrays = self.prepare(*self.data(steps * self.batch, np.random.default_rng(1)))
        self.epoch(*arrays, self.batch)
        return timed(lambda: self.epoch(*arrays, self.batch))

    def measure(self, seconds: float) -> dict[str, list[float]]:
        if self.arrays is None:
            self.steps = max(2, min(int(seconds / 4 / self.step), self._most()))
            self.arrays = self.prepare(*self.data(self.steps * self.batch, np.random.default_rng(2)))
        count = max(2, round(seconds / (self.steps * self.step)))
        losses: list[float] = []
        found = [timed(lambda: losses.append(self.epoch(*self.arrays, self.batch))) for _ in range(count)]
        if not math.isfinite(losses[-1]):
            raise SystemExit("the loss is not finite: nothing here counts")
        return {"own loop": [1e3 * one / self.steps for one in found]}

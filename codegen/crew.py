"""How many threads a loop's short steps get: all, or one while that is faster, as it may be where other processes load the machine.

Threads that wait for a late one leave traces (see runtime/waiting.py). Only then one thread is tried for the next run of the loop, and
kept for a while if its steps took less time than those of the better of the two runs before: where something got in the way of a single
one, that says nothing about the next. The bits do not depend on it.
"""

from __future__ import annotations

from .runtime import waiting
from .runtime.pool import NativeCall

SHORT = 0.03  # seconds, on a loaded machine: longer steps have few meetings for their work
TELLING = 0.002  # a run that took less says nothing
MOST_KEPT = 32  # runs for which a choice holds, at most: a second or two of a `fit`; one that is confirmed holds twice as long


class Crew:
    """Of one call of a loop, which it sets to a number of threads before each run."""

    def __init__(self, call: NativeCall) -> None:
        self._call, self._threads = call, call.threads
        self._alone = False
        self._least = 0.0  # seconds a step on one thread, at best; 0: not known
        self._before = 0.0  # seconds a step of the last run of all threads; 0: the last run was of one
        self._trial = 0.0  # seconds a step of all threads, while one is tried
        self._left = 0  # runs until something else may be tried
        self._kept = {True: 1, False: 1}  # runs for which the choice of one thread, or of all, will hold

    def begin(self) -> None:
        """Before a run."""
        wanted = 1 if self._alone else self._threads
        if wanted != self._call.threads:
            self._call.set_threads(wanted)

    def end(self, seconds: float, steps: int) -> None:
        """After a run of so many steps."""
        if self._threads == 1 or seconds < TELLING:
            return
        step = seconds / steps
        better = min(step, self._before)
        self._before = 0.0 if self._alone else step
        if self._alone:
            self._least = min(step, self._least or step)
        self._left = max(0, self._left - 1)
        if self._trial:
            self._choose(step < self._trial)
        elif self._left:
            return
        elif self._alone:
            self._alone = False
        elif better and step < SHORT and self._waited() and (not self._least or better > self._least):
            self._trial, self._alone = better, True

    def _choose(self, alone: bool) -> None:
        self._left = self._kept[alone]
        self._kept = {alone: min(2 * self._kept[alone], MOST_KEPT), not alone: 1}
        self._alone, self._trial = alone, 0.0

    def _waited(self) -> bool:
        shared = self._call.shared
        return bool(shared[waiting.SHARED_LOADED] or shared[waiting.SHARED_SPIN] < shared[waiting.SHARED_MOST_SPIN])

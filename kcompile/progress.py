"""The progress bar of `fit`, `evaluate` and `predict`, in the text layout of Keras 3.

    1875/1875 ━━━━━━━━━━━━━━━━━━━━ 3s 2ms/step - accuracy: 0.9380 - loss: 0.2160
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Iterable, Sequence
from typing import Any, TextIO

import numpy as np

from . import config

_BAR = "━"
_BOLD, _GREEN, _GREY, _RESET = "\x1b[1m", "\x1b[32m", "\x1b[37m", "\x1b[0m"


class Progbar:
    """Shows how far a loop has come.

    target: the number of steps, None where it is not known; width: cells of the bar; verbose: 0 nothing, 1 a bar that is
    redrawn, 2 one line at the end; interval: least seconds between redraws. Values are averaged over the steps, except those
    named in stateful_metrics; the last line shows every value as it was given last, except those named in stateless_metrics.
    """

    def __init__(self, target: int | None, width: int = 20, verbose: int = 1, interval: float = 0.05,
                 stateful_metrics: Iterable[str] | None = None, stateless_metrics: Iterable[str] | None = None,
                 unit_name: str = "step") -> None:
        self.target, self.width, self.verbose, self.interval, self.unit_name = target, width, verbose, interval, unit_name
        self.stateful_metrics = set(stateful_metrics or ())
        self.stateless_metrics = set(stateless_metrics or ())
        self._sums: dict[str, tuple[float, int]] = {}  # name -> (sum over steps, steps)
        self._last: dict[str, Any] = {}
        self._seen = 0
        self._start = time.time()
        self._first_done: tuple[float, int] | None = None  # when the first update came, and how many steps were done then
        self._last_drawn = 0.0
        self._drawn_width = 0
        self.note = ""  # shown after the values

    def update(self, current: int, values: Sequence[tuple[str, Any]] | None = None, finalize: bool | None = None) -> None:
        """`current` steps are done; values: (name, number) pairs. The last line is drawn when the target is reached."""
        if finalize is None:
            finalize = self.target is not None and current >= self.target
        steps = max(current - self._seen, 1)
        for name, value in values or ():
            total, count = self._sums.get(name, (0.0, 0))
            self._sums[name] = (total + _number(value) * steps, count + steps)
            self._last[name] = value
        self._seen = max(self._seen, current)
        now = time.time()
        if self.verbose == 1 and (finalize or now - self._last_drawn >= self.interval):
            self._redraw(current, now, finalize)
        elif self.verbose == 2 and finalize:
            shown = f"{self.target}/{self.target}" if self.target is not None else f"{current}/Unknown"
            pace = self._pace(current, now)
            _write(f"{shown} - {now - self._start:.0f}s - {self._pace_text(pace)}{self._values_text(finalize)}\n")
        if current >= 1 and self._first_done is None:
            self._first_done = now, current

    def add(self, n: int, values: Sequence[tuple[str, Any]] | None = None) -> None:
        """n more steps are done."""
        self.update(self._seen + n, values)

    def _redraw(self, current: int, now: float, finalize: bool) -> None:
        pace = self._pace(current, now)
        if self.target is None or finalize:
            seconds = f"{now - self._start:.0f}s"
        else:
            seconds = _remaining(pace * (self.target - current))
        plain = f" {seconds} {self._pace_text(pace)}{self._values_text(finalize)}"
        width = len(plain) + (self.width + 2 * len(str(self.target)) + 2 if self.target is not None else 0)
        padding = " " * max(self._drawn_width - width, 0)
        erase = "\b" * self._drawn_width + "\r"
        shown = plain.replace(seconds, f"{_BOLD}{seconds}{_RESET}", 1)
        _write(f"{erase}{self._bar(current)}{shown}{padding}" + ("\n" if finalize else ""))
        self._drawn_width = width
        self._last_drawn = now

    def _bar(self, current: int) -> str:
        if self.target is None:
            return f"{current:7d}/Unknown"
        done = int(self.width * min(current / self.target, 1.0)) if self.target else self.width
        count = f"{current:{len(str(self.target))}d}/{self.target}"
        full = f"{_GREEN}{_BAR * done}{_RESET}" if done else ""
        return f"{_BOLD}{count}{_RESET} {full}{_GREY}{_BAR * (self.width - done)}{_RESET}"

    def _pace(self, current: int, now: float) -> float:
        """Seconds a step; those up to the first update, which may compile, are left out as soon as there are others."""
        if not current:
            return 0.0
        since, before = self._first_done or (self._start, 0)
        if current <= before:
            since, before = self._start, 0
        return (now - since) / (current - before)

    def _pace_text(self, seconds: float) -> str:
        if seconds >= 1 or seconds == 0:
            return f"{seconds:.0f}s/{self.unit_name}"
        if seconds >= 1e-3:
            return f"{seconds * 1e3:.0f}ms/{self.unit_name}"
        return f"{seconds * 1e6:.0f}us/{self.unit_name}"

    def _values_text(self, finalize: bool) -> str:
        parts = []
        for name, (total, count) in self._sums.items():
            last = name in self.stateful_metrics or (finalize and name not in self.stateless_metrics)
            value = _number(self._last[name]) if last else total / max(count, 1)
            small = abs(value) <= 1e-3
            parts.append(f" - {name}: {value:.4e}" if small else f" - {name}: {value:.4f}")
        if self.note:
            parts.append(f" - {self.note}")
        return "".join(parts)


def _number(value: Any) -> float:
    return float(np.mean(np.asarray(value)))


def _remaining(seconds: float) -> str:
    whole = math.floor(seconds)
    if whole > 3600:
        return f"{whole // 3600}:{whole % 3600 // 60:02d}:{whole % 60:02d}"
    return f"{whole // 60}:{whole % 60:02d}" if whole > 60 else f"{whole}s"


def _write(text: str) -> None:
    """To the terminal, or to the log after disable_interactive_logging(). A stream that cannot show the bar gets ASCII."""
    if not config.is_interactive_logging_enabled():
        import logging

        logging.getLogger("kcompile").info(text.strip("\b\r\n"))
        return
    stream: TextIO = sys.stdout
    try:
        stream.write(text)
    except UnicodeEncodeError:
        stream.write(text.replace(_BAR, "="))
    stream.flush()


def print_message(text: str) -> None:
    """One line of progress or of a callback's report."""
    _write(text + "\n")

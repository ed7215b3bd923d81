"""Shows the progress of a run on the terminal."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from ..progress import Progbar, print_message
from .callback import Callback as _Callback
from .callback import Logs

LEAST_WAIT, LEAST_SHARE = 0.1, 0.1  # seconds, and share of the time, from which waiting for data is shown


class ProgbarLogger(_Callback):
    """The progress bar of `fit`, `evaluate` and `predict`; the verbosity comes from their `verbose` argument."""

    def __init__(self) -> None:
        super().__init__()
        self.verbose = 1
        self.epochs = 1
        self.target: int | None = None
        self.seen = 0
        self.progbar: Progbar | None = None
        self._in_fit = False
        self.input_wait: Callable[[], float] | None = None  # seconds for which steps have waited for data, since the bar was begun

    def set_params(self, params: dict[str, Any]) -> None:
        super().set_params(params)
        verbose = params.get("verbose", 1)
        self.verbose = 1 if verbose == "auto" else int(verbose)
        self.epochs = params.get("epochs", 1)
        self.target = params.get("steps")

    def on_train_begin(self, logs: Logs = None) -> None:
        self._in_fit = True

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        self._start()
        if self.verbose and self.epochs > 1:
            print_message(f"Epoch {epoch + 1}/{self.epochs}")

    def on_test_begin(self, logs: Logs = None) -> None:
        if not self._in_fit:
            self._start()

    def on_predict_begin(self, logs: Logs = None) -> None:
        self._start()

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        self._show(batch, logs)

    def on_test_batch_end(self, batch: int, logs: Logs = None) -> None:
        if not self._in_fit:
            self._show(batch, logs)

    def on_predict_batch_end(self, batch: int, logs: Logs = None) -> None:
        self._show(batch, None)

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        self._finish(logs)

    def on_test_end(self, logs: Logs = None) -> None:
        if not self._in_fit:
            self._finish(logs)

    def on_predict_end(self, logs: Logs = None) -> None:
        self._finish(None)

    def _start(self) -> None:
        """A bar of its own for each epoch; its clock runs from here."""
        self.seen = 0
        self.progbar = Progbar(self.target, verbose=self.verbose) if self.verbose else None
        self._began = time.perf_counter()

    def _show(self, batch: int, logs: Logs) -> None:
        self.seen = batch + 1
        if self.progbar is not None:
            self._update(self.seen, logs, finalize=False)

    def _finish(self, logs: Logs) -> None:
        if self.progbar is not None:
            if self.target is None:
                self.target = self.progbar.target = self.seen  # the next epoch is as long
            self._update(self.progbar.target or self.seen, logs, finalize=True)
            self.progbar = None

    def _update(self, current: int, logs: Logs, finalize: bool) -> None:
        values = [(name, value) for name, value in (logs or {}).items() if not isinstance(value, str)]
        assert self.progbar is not None
        self.progbar.note = self._input_note()
        self.progbar.stateful_metrics.update(name for name, _ in values)  # logs are means already
        self.progbar.update(current, values, finalize=finalize)

    def _input_note(self) -> str:
        """How much of the time went into waiting for data, where it is worth saying."""
        waited = 0.0 if self.input_wait is None else self.input_wait()
        share = waited / max(time.perf_counter() - self._began, 1e-9)
        return f"input wait: {min(share, 1.0):.0%}" if waited >= LEAST_WAIT and share >= LEAST_SHARE else ""

"""Calls every hook of a list of callbacks, in their order."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from ..suggest import forgotten_call
from .callback import Callback, Logs, overrides
from .checkpoint import BackupAndRestore, ModelCheckpoint
from .history import History
from .progbar_logger import ProgbarLogger

_BATCH_HOOKS = {
    "train": ("on_batch_begin", "on_batch_end", "on_train_batch_begin", "on_train_batch_end"),
    "test": ("on_test_batch_begin", "on_test_batch_end"),
    "predict": ("on_predict_batch_begin", "on_predict_batch_end"),
}


def _sees_epochs_only(callback: Callback) -> bool:
    """Whether it is one of those that save, and does so after epochs."""
    return type(callback) in (ModelCheckpoint, BackupAndRestore) and getattr(callback, "save_freq", None) == "epoch"


class CallbackList(Callback):
    """The callbacks of one run.

    callbacks: one, or an iterable (nested lists are flattened); add_history, add_progbar: add a History and a ProgbarLogger where
    there is none; they come last, and see what the others add to the logs. Raises TypeError for what is no callback.
    """

    def __init__(self, callbacks: Any = None, add_history: bool = False, add_progbar: bool = False, model: Any = None,
                 **params: Any) -> None:
        super().__init__()
        self.callbacks: list[Callback] = list(_flatten(callbacks))
        for callback in self.callbacks:
            if not isinstance(callback, Callback):
                raise TypeError(f"callbacks must be instances of keras.callbacks.Callback, received {callback!r} "
                                f"(of type {type(callback).__name__}){forgotten_call(callback, Callback)}")
        self._history = next((c for c in self.callbacks if isinstance(c, History)), None)
        if self._history is None and add_history:
            self._history = History()
        self._progbar = next((c for c in self.callbacks if isinstance(c, ProgbarLogger)), None)
        if self._progbar is None and add_progbar:
            self._progbar = ProgbarLogger()
            self.callbacks.append(self._progbar)
        if self._history is not None and self._history not in self.callbacks:
            self.callbacks.append(self._history)
        if model is not None:
            self.set_model(model)
        if params:
            self.set_params(params)

    def append(self, callback: Callback) -> None:
        self.callbacks.append(callback)

    def wants_batches(self, kind: str) -> bool:
        """Whether some callback must be called at every batch of 'train', 'test' or 'predict'.

        The progress bar need not: it is redrawn by the clock.
        """
        return any(overrides(c, *_BATCH_HOOKS[kind]) for c in self.callbacks if type(c) is not ProgbarLogger and not _sees_epochs_only(c))

    def show_progress(self, kind: str, batch: int, logs: dict[str, Any]) -> None:
        """Tell only the progress bar that batches up to `batch` are done."""
        if self._progbar is not None:
            getattr(self._progbar, f"on_{kind}_batch_end")(batch, logs)

    def watch_input(self, wait: Callable[[], float]) -> None:
        """Let the progress bar ask how long steps have waited for data."""
        if self._progbar is not None:
            self._progbar.input_wait = wait

    @property
    def has_progress_bar(self) -> bool:
        return self._progbar is not None

    def set_params(self, params: dict[str, Any]) -> None:
        self.params = params
        for callback in self.callbacks:
            callback.set_params(params)

    def set_model(self, model: Any) -> None:
        super().set_model(model)
        if self._history is not None:
            model.history = self._history
        for callback in self.callbacks:
            callback.set_model(model)

    def _call(self, hook: str, *args: Any) -> None:
        for callback in self.callbacks:
            getattr(callback, hook)(*args)

    def on_train_begin(self, logs: Logs = None) -> None:
        self._call("on_train_begin", logs or {})

    def on_train_end(self, logs: Logs = None) -> None:
        self._call("on_train_end", logs or {})

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        self._call("on_epoch_begin", epoch, {} if logs is None else logs)

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        self._call("on_epoch_end", epoch, {} if logs is None else logs)

    def on_batch_begin(self, batch: int, logs: Logs = None) -> None:
        self._call("on_batch_begin", batch, logs or {})

    def on_batch_end(self, batch: int, logs: Logs = None) -> None:
        self._call("on_batch_end", batch, logs or {})

    def on_train_batch_begin(self, batch: int, logs: Logs = None) -> None:
        self._call("on_train_batch_begin", batch, logs or {})

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        self._call("on_train_batch_end", batch, logs or {})

    def on_test_begin(self, logs: Logs = None) -> None:
        self._call("on_test_begin", logs or {})

    def on_test_end(self, logs: Logs = None) -> None:
        self._call("on_test_end", logs or {})

    def on_test_batch_begin(self, batch: int, logs: Logs = None) -> None:
        self._call("on_test_batch_begin", batch, logs or {})

    def on_test_batch_end(self, batch: int, logs: Logs = None) -> None:
        self._call("on_test_batch_end", batch, logs or {})

    def on_predict_begin(self, logs: Logs = None) -> None:
        self._call("on_predict_begin", logs or {})

    def on_predict_end(self, logs: Logs = None) -> None:
        self._call("on_predict_end", logs or {})

    def on_predict_batch_begin(self, batch: int, logs: Logs = None) -> None:
        self._call("on_predict_batch_begin", batch, logs or {})

    def on_predict_batch_end(self, batch: int, logs: Logs = None) -> None:
        self._call("on_predict_batch_end", batch, logs or {})


def _flatten(callbacks: Any) -> Iterable[Any]:
    if callbacks is None:
        return
    if isinstance(callbacks, (list, tuple)):
        for callback in callbacks:
            yield from _flatten(callback)
    else:
        yield callbacks

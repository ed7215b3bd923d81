"""Callbacks of a few lines: LambdaCallback, TerminateOnNaN, CSVLogger."""

from __future__ import annotations

import csv
import os
from collections.abc import Callable
from typing import Any

import numpy as np

from ..progress import print_message
from .callback import Callback, Logs


class LambdaCallback(Callback):
    """A callback made of functions: each keyword is the name of a hook, each value is called with the hook's arguments."""

    def __init__(self, on_epoch_begin: Callable[..., Any] | None = None, on_epoch_end: Callable[..., Any] | None = None,
                 on_train_begin: Callable[..., Any] | None = None, on_train_end: Callable[..., Any] | None = None,
                 on_train_batch_begin: Callable[..., Any] | None = None, on_train_batch_end: Callable[..., Any] | None = None,
                 **kwargs: Any) -> None:
        super().__init__()
        hooks = {"on_epoch_begin": on_epoch_begin, "on_epoch_end": on_epoch_end, "on_train_begin": on_train_begin,
                 "on_train_end": on_train_end, "on_train_batch_begin": on_train_batch_begin, "on_train_batch_end": on_train_batch_end}
        self.__dict__.update({name: hook for name, hook in hooks.items() if hook is not None})
        self.__dict__.update(kwargs)


class TerminateOnNaN(Callback):
    """Ends training as soon as the loss is NaN or infinite; raise_error: with a RuntimeError."""

    def __init__(self, raise_error: bool = False) -> None:
        super().__init__()
        self.raise_error = raise_error

    def on_batch_end(self, batch: int, logs: Logs = None) -> None:
        loss = (logs or {}).get("loss")
        if loss is None or np.isfinite(loss):
            return
        if self.raise_error:
            raise RuntimeError(f"NaN or Inf loss encountered at batch {batch}.")
        print_message(f"Batch {batch}: Invalid loss, terminating training")
        self.model.stop_training = True


class CSVLogger(Callback):
    """Writes the results of every epoch as a row of a file; append: go on with a file that is there."""

    def __init__(self, filename: str | os.PathLike[str], separator: str = ",", append: bool = False) -> None:
        super().__init__()
        self.filename, self.sep, self.append = os.fspath(filename), separator, append
        self.keys: list[str] | None = None
        self._file: Any = None
        self._writer: Any = None

    def on_train_begin(self, logs: Logs = None) -> None:
        header = not (self.append and os.path.exists(self.filename) and os.path.getsize(self.filename))
        self._file = open(self.filename, "a" if self.append else "w", newline="", encoding="utf-8")  # noqa: SIM115 - until on_train_end
        self._header = header
        self.keys = self._writer = None

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        logs = logs or {}
        if self._writer is None:
            self.keys = sorted(logs)
            if "loss" in logs and self.model is not None and not any(name.startswith("val_") for name in self.keys):
                self.keys += [f"val_{name}" for name in self.keys]  # validation may come in a later epoch
            self._writer = csv.DictWriter(self._file, ["epoch", *self.keys], delimiter=self.sep, restval="NA", extrasaction="ignore")
            if self._header:
                self._writer.writeheader()
        self._writer.writerow({"epoch": epoch, **{name: _cell(logs.get(name, "NA")) for name in self.keys or []}})
        self._file.flush()

    def on_train_end(self, logs: Logs = None) -> None:
        if self._file is not None:
            self._file.close()
        self._file = self._writer = None


def _cell(value: Any) -> Any:
    if isinstance(value, str):
        return value
    array = np.asarray(value)
    return value if not array.ndim else "\"[" + ", ".join(map(str, array.reshape(-1).tolist())) + "]\""

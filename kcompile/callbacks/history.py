"""The record of a training run that `fit` returns."""

from __future__ import annotations

from typing import Any

from .callback import Callback, Logs


class History(Callback):
    """history: name -> one number an epoch; epoch: the numbers of the epochs that were run; params: as given to the callbacks."""

    def __init__(self) -> None:
        super().__init__()
        self.history: dict[str, list[Any]] = {}
        self.epoch: list[int] = []

    def on_train_begin(self, logs: Logs = None) -> None:
        self.epoch = []

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        self.epoch.append(epoch)
        for name, value in (logs or {}).items():
            self.history.setdefault(name, []).append(value)
        self.model.history = self

"""The protocol: what a callback may hook into."""

from __future__ import annotations

from typing import Any

Logs = dict[str, Any] | None


class Callback:
    """The base of all callbacks. Every hook does nothing until a subclass says otherwise.

    model: set before training; params: verbose, epochs and steps of the run. `logs` holds the results so far: after a batch
    those of the epoch up to that batch, after an epoch also those of validation, under `val_` names.
    Set `self.model.stop_training = True` to end training after the current batch or epoch.
    """

    def __init__(self) -> None:
        self.params: dict[str, Any] | None = None
        self._model: Any = None

    @property
    def model(self) -> Any:
        return self._model

    def set_params(self, params: dict[str, Any]) -> None:
        self.params = params

    def set_model(self, model: Any) -> None:
        self._model = model

    def on_train_begin(self, logs: Logs = None) -> None:
        """Before the first epoch."""

    def on_train_end(self, logs: Logs = None) -> None:
        """After the last epoch, with its results."""

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        """Before an epoch; epochs count from 0."""

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """After an epoch and its validation."""

    def on_batch_begin(self, batch: int, logs: Logs = None) -> None:
        """The older name of on_train_batch_begin."""

    def on_batch_end(self, batch: int, logs: Logs = None) -> None:
        """The older name of on_train_batch_end."""

    def on_train_batch_begin(self, batch: int, logs: Logs = None) -> None:
        """Before a training batch; batches count from 0 in each epoch."""
        self.on_batch_begin(batch, logs=logs)

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        """After a training batch."""
        self.on_batch_end(batch, logs=logs)

    def on_test_begin(self, logs: Logs = None) -> None:
        """Before an evaluation, or the validation of `fit`."""

    def on_test_end(self, logs: Logs = None) -> None:
        """After it, with its results."""

    def on_test_batch_begin(self, batch: int, logs: Logs = None) -> None:
        """Before a batch of an evaluation."""

    def on_test_batch_end(self, batch: int, logs: Logs = None) -> None:
        """After a batch of an evaluation."""

    def on_predict_begin(self, logs: Logs = None) -> None:
        """Before `predict`."""

    def on_predict_end(self, logs: Logs = None) -> None:
        """After `predict`."""

    def on_predict_batch_begin(self, batch: int, logs: Logs = None) -> None:
        """Before a batch of `predict`."""

    def on_predict_batch_end(self, batch: int, logs: Logs = None) -> None:
        """After a batch of `predict`; `logs["outputs"]` holds its outputs."""


def overrides(callback: Callback, *hooks: str) -> bool:
    """Whether a callback defines any of these hooks itself."""
    return any(hook in callback.__dict__ or getattr(type(callback), hook) is not getattr(Callback, hook) for hook in hooks)

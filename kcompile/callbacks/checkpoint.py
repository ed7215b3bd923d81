"""Callbacks that write the model to files while it trains: ModelCheckpoint, and BackupAndRestore for interrupted runs."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from ..common.users_code import warn
from ..progress import print_message
from ..saving import backup
from .callback import Callback, Logs
from .monitor import Monitor


def _frequency(save_freq: Any) -> Any:
    if save_freq == "epoch" or (isinstance(save_freq, int) and not isinstance(save_freq, bool) and save_freq > 0):
        return save_freq
    raise ValueError(f"Unrecognized save_freq: {save_freq!r}. Expected 'epoch' or a positive number of batches")


class _Due:
    """Tells when `save_freq` batches more have been seen; hooks may come once for several batches (steps_per_execution)."""

    def __init__(self, save_freq: Any) -> None:
        self._save_freq, self._seen, self._last = save_freq, 0, -1

    def begin_epoch(self) -> None:
        self._last = -1

    def now(self, batch: int) -> bool:
        self._seen += batch - self._last
        self._last = batch
        if self._seen < self._save_freq:
            return False
        self._seen = 0
        return True


class ModelCheckpoint(Callback):
    """Save the model, or its weights, at the end of epochs or every `save_freq` batches.

    filepath may hold {epoch:02d}, {batch} and names of the logs, such as {val_loss:.2f}; save_best_only: only when `monitor` has
    improved, over initial_value_threshold at first. Each file is there whole or not at all. Raises ValueError for a suffix that means
    no format.
    """

    def __init__(self, filepath: str | os.PathLike[str], monitor: str = "val_loss", verbose: int = 0, save_best_only: bool = False,
                 save_weights_only: bool = False, mode: str = "auto", save_freq: Any = "epoch",
                 initial_value_threshold: float | None = None) -> None:
        super().__init__()
        self.filepath = os.fspath(filepath)
        self.monitor, self.verbose, self.save_best_only, self.save_weights_only = monitor, verbose, save_best_only, save_weights_only
        self.save_freq, self.best = _frequency(save_freq), initial_value_threshold
        self._monitor = Monitor(monitor, mode, 0.0, "ModelCheckpoint")
        endings = (".weights.h5", ".h5") if save_weights_only else (".keras", ".h5")
        if not self.filepath.endswith(endings):
            raise ValueError(f"With save_weights_only={save_weights_only}, the filepath of ModelCheckpoint must end in {endings[0]!r}. "
                             f"Received: filepath={self.filepath}")
        self._epoch = 0
        self._due = _Due(self.save_freq)

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        self._epoch = epoch
        self._due.begin_epoch()

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        if self.save_freq != "epoch" and self._due.now(batch):
            self._save(self._epoch, batch, logs)

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        if self.save_freq == "epoch":
            self._save(epoch, None, logs)

    def _save(self, epoch: int, batch: int | None, logs: Logs) -> None:
        path = self._path(epoch, batch, logs or {})
        if self.save_best_only:
            if not self._is_best(epoch, path, logs or {}):
                return
        else:
            self._say(epoch, f"saving model to {path}")
        folder = os.path.dirname(path)
        if folder:
            os.makedirs(folder, exist_ok=True)
        if self.save_weights_only:
            self.model.save_weights(path, overwrite=True)
        else:
            self.model.save(path, overwrite=True)
        self._say(epoch, f"finished saving model to {path}")

    def _is_best(self, epoch: int, path: str, logs: dict[str, Any]) -> bool:
        """Without the number that tells, every model counts as the best: better a file too many than none."""
        self._monitor.resolve(self.model)
        value = logs.get(self.monitor)
        if value is None:
            warn(f"Can save best model only with {self.monitor} available.")
            return True
        best = "None" if self.best is None else f"{self.best:.5f}"
        if not self._monitor.improved(value, self.best):
            self._say(epoch, f"{self.monitor} did not improve from {best}")
            return False
        self._say(epoch, f"{self.monitor} improved from {best} to {value:.5f}, saving model to {path}")
        self.best = value
        return True

    def _say(self, epoch: int, text: str) -> None:
        if self.verbose > 0:
            print_message(f"\nEpoch {epoch + 1}: {text}")

    def _path(self, epoch: int, batch: int | None, logs: dict[str, Any]) -> str:
        names = {"epoch": epoch + 1, **({"batch": batch + 1} if batch is not None else {}), **logs}
        try:
            return self.filepath.format(**{name: float(value) if isinstance(value, np.generic) else value for name, value in names.items()})
        except KeyError as error:
            raise KeyError(f"the filepath of ModelCheckpoint, {self.filepath!r}, names {error}; known are {', '.join(names)}") from None


class BackupAndRestore(Callback):
    """Keep a backup of weights, optimizer, random states and position, and go on from it when the same `fit` is started again.

    backup_dir: its folder; save_freq: 'epoch', or a number of batches: then training goes on in the middle of an epoch, with the next
    batch (a generator cannot be wound forward: it gives what it gives from its beginning); double_checkpoint: keep the one before too,
    for when the last one cannot be read; delete_checkpoint: remove the backup at the end of a whole run.
    """

    def __init__(self, backup_dir: str | os.PathLike[str], save_freq: Any = "epoch", double_checkpoint: bool = False,
                 delete_checkpoint: bool = True) -> None:
        super().__init__()
        if not backup_dir:
            raise ValueError("Empty `backup_dir` argument passed")
        self.backup_dir = os.fspath(backup_dir)
        self.save_freq, self.double_checkpoint, self.delete_checkpoint = _frequency(save_freq), double_checkpoint, delete_checkpoint
        self._epoch = 0
        self._due = _Due(self.save_freq)

    @property
    def _path(self) -> str:
        return os.path.join(self.backup_dir, "latest.backup")

    @property
    def _previous(self) -> str:
        return self._path + ".previous"

    def on_train_begin(self, logs: Logs = None) -> None:
        found = [path for path in (self._path, self._previous) if os.path.exists(path)]
        if found and not self.model.built:
            raise ValueError(f"model '{self.model.name}' must be built before `fit` goes on from the backup in {self.backup_dir}: call it "
                             "on a batch of data, or give it an Input")
        for path in found:
            try:
                record = backup.restore(self.model, path)
            except (ValueError, OSError) as error:
                if path == found[-1]:
                    raise
                warn(f"the last backup cannot be used, going on from the one before: {error}")
                continue
            self.model._current_fit.resume(record)
            return

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        self._epoch = epoch
        self._due.begin_epoch()

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        if self.save_freq != "epoch" and self._due.now(batch):
            self._save(self._epoch, batch + 1)

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        self._epoch = epoch + 1
        if self.save_freq == "epoch":
            self._save(epoch + 1, 0)

    def _save(self, epoch: int, step: int) -> None:
        os.makedirs(self.backup_dir, exist_ok=True)
        if self.double_checkpoint and os.path.exists(self._path):
            os.replace(self._path, self._previous)
        backup.save(self.model, self._path, self.model._current_fit.record(epoch, step))

    def on_train_end(self, logs: Logs = None) -> None:
        if self.delete_checkpoint:
            for path in (self._path, self._previous):
                if os.path.exists(path):
                    os.unlink(path)

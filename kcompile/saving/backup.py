"""Owns the file of BackupAndRestore: weights, optimizer state, random states and the next epoch, in one file that is whole or not there."""

from __future__ import annotations

from typing import Any

from .archive import Archive, write_archive
from .atomic import write_whole
from .errors import ModelFileError
from .hdf5 import read_hdf5
from .random_state import random_state, restore_random_state
from .state import load_weights_file, weights_file


def save(model: Any, path: str, next_epoch: int) -> None:
    """Write the backup."""
    from .. import __version__

    weights, notes = weights_file(model), random_state(model)
    write_whole(path, lambda file: write_archive(file, {"next_epoch": int(next_epoch)}, weights, notes, __version__))


def restore(model: Any, path: str) -> int:
    """Take the model's state back; the epoch to go on with. Raises ModelFileError for a damaged file or another model's."""
    with open(path, "rb") as file:
        archive = Archive(file.read(), path)
    epoch = archive.config().get("next_epoch")
    if not isinstance(epoch, int) or isinstance(epoch, bool) or epoch < 0:
        raise ModelFileError(f"{path}: the epoch to go on with is missing")
    load_weights_file(model, read_hdf5(archive.weights(), path), path)
    restore_random_state(model, archive.metadata().get("kcompile"))
    return epoch

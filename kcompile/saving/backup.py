"""Owns the file of BackupAndRestore: weights, optimizer state, random states and where the run stands, whole or not there."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..random import global_seed_generator
from .archive import Archive, write_archive
from .atomic import write_whole
from .errors import ModelFileError
from .hdf5 import read_hdf5
from .random_state import random_state, restore_random_state
from .state import load_weights_file, weights_file


def save(model: Any, path: str, run: dict[str, Any]) -> None:
    """Write the backup. run: what Run.record gave."""
    from .. import __version__

    weights, notes = weights_file(model), random_state(model)
    config = {"run": run, "global_seed": global_seed_generator().state.array.tolist()}
    write_whole(path, lambda file: write_archive(file, config, weights, notes, __version__))


def restore(model: Any, path: str) -> dict[str, Any]:
    """Take the model's state back; where the run stood. Raises ModelFileError for a damaged file or another model's."""
    with open(path, "rb") as file:
        archive = Archive(file.read(), path)
    config = archive.config()
    run, seed = config.get("run"), config.get("global_seed")
    if not isinstance(run, dict) or not all(_is_count(run.get(key)) for key in ("next_epoch", "step", "position")):
        raise ModelFileError(f"{path}: where the run stood is missing, so it is no backup")
    load_weights_file(model, read_hdf5(archive.weights(), path), path)
    restore_random_state(model, archive.metadata().get("kcompile"))
    if isinstance(seed, list) and len(seed) == 2 and all(_is_count(n) and n < 2**32 for n in seed):
        global_seed_generator().state.array[...] = np.array(seed, np.uint32)
    return run


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0

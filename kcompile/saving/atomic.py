"""Owns files that are there whole or not at all: written aside, flushed to the disk, then renamed."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from typing import Any, BinaryIO


def write_whole(path: str | os.PathLike[str], write: Callable[[BinaryIO], Any]) -> None:
    """Put what `write(file)` writes at `path`. Until the very end an older file stays; after an error nothing is left behind."""
    target = os.path.realpath(os.fspath(path))  # a symbolic link stays one
    folder, name = os.path.split(target)
    aside = os.path.join(folder, f".{name}.{os.getpid()}.{secrets.token_hex(4)}.part")
    try:
        with open(aside, "xb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(aside, target)
    except BaseException as error:
        if os.path.exists(aside):
            os.unlink(aside)
        if isinstance(error, OSError):
            raise not_written(error, os.fspath(path), os.path.exists(target)) from None
        raise
    flush_folder(folder)


def not_written(error: OSError, path: str, is_there: bool) -> OSError:
    """The error of a save that could not be written, for the person who asked for it: which file, why, and what is there now."""
    kept = "what was there before is unchanged" if is_there else "nothing is left of it"
    return type(error)(error.errno, f"cannot write {path}: {error.strerror or error}; {kept}")


def flush_folder(folder: str) -> None:
    """Make renames in a folder durable."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

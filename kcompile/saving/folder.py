"""Owns models kept as a folder (`zipped=False`): config.json, metadata.json, model.weights.h5 and assets/, whole or not there."""

from __future__ import annotations

import ctypes
import errno
import json
import os
import secrets
import shutil
import stat
from typing import Any

from .archive import CONFIG, LARGEST_JSON, METADATA, WEIGHTS, metadata_of, parse_json
from .assets import ASSETS
from .atomic import flush_folder, not_written
from .errors import ModelFileError

_MEMBERS = (CONFIG, METADATA, WEIGHTS, ASSETS)
_EXCHANGE = 2  # RENAME_EXCHANGE of renameat2
_HERE = -100  # AT_FDCWD


def write_folder(path: str, config: dict[str, Any], weights: bytes, notes: dict[str, Any], assets: dict[str, bytes], version: str) -> None:
    """Put the members into a folder beside `path`, then take its place in one step.

    Raises ValueError for a folder that holds other things, which would be lost.
    """
    target = os.path.realpath(path)
    exists = os.path.isdir(target)
    others = sorted(set(os.listdir(target)) - set(_MEMBERS)) if exists else []
    if others:
        raise ValueError(f"cannot save the model to the folder {path}: it holds other things ({', '.join(others[:5])}), which would be "
                         "lost. Give the name of a new folder")
    outer, name = os.path.split(target)
    aside = os.path.join(outer, f".{name}.{os.getpid()}.{secrets.token_hex(4)}.part")
    try:
        os.mkdir(aside)
        for member, data in ((METADATA, json.dumps(metadata_of(version, notes)).encode()), (CONFIG, json.dumps(config).encode()),
                             (WEIGHTS, weights), *((f"{ASSETS}/{inner}", content) for inner, content in assets.items())):
            _write(os.path.join(aside, member), data)
        for folder, _, _ in os.walk(aside):
            flush_folder(folder)
        if exists:
            _exchange(aside, target)
        else:
            os.rename(aside, target)
    except OSError as error:
        raise not_written(error, path, exists) from None
    finally:
        shutil.rmtree(aside, ignore_errors=True)  # after an exchange, the older model
    flush_folder(outer)


def _write(path: str, data: bytes) -> None:
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "xb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _exchange(one: str, other: str) -> None:
    """Let two folders take each other's names, which Linux does in one step."""
    library = ctypes.CDLL(None, use_errno=True)
    renameat2 = getattr(library, "renameat2", None)
    if renameat2 is None or renameat2(_HERE, os.fsencode(one), _HERE, os.fsencode(other), _EXCHANGE):
        code = ctypes.get_errno() or errno.ENOSYS
        raise OSError(code, f"the folder cannot be replaced in one step on this file system ({os.strerror(code)}); save to a new folder, "
                            "or delete the old one first")


class Folder:
    """A model folder, read like an `Archive`. Raises ModelFileError for members that are links, devices, or missing."""

    def __init__(self, path: str) -> None:
        self.what = path
        names = os.listdir(path)
        for name in (CONFIG, WEIGHTS):
            if name not in names:
                raise ModelFileError(f"{path}: there is no {name} in the folder, so it is no model folder of Keras's. (SavedModel folders "
                                     "hold TensorFlow graphs and are not read: save as `.keras` or `.h5`)")
        self._names = names

    def _read(self, name: str, most: int | None = None) -> bytes:
        return read_regular(os.path.join(self.what, name), most)

    def config(self) -> dict[str, Any]:
        return parse_json(self._read(CONFIG, LARGEST_JSON), f"{self.what}: {CONFIG}")

    def metadata(self) -> dict[str, Any]:
        return parse_json(self._read(METADATA, LARGEST_JSON), f"{self.what}: {METADATA}") if METADATA in self._names else {}

    def weights(self) -> bytes:
        return self._read(WEIGHTS)

    def assets(self) -> dict[str, bytes]:
        """{path below assets/: bytes}."""
        found: dict[str, bytes] = {}
        root = os.path.join(self.what, ASSETS)
        if ASSETS in self._names and os.path.islink(root):
            raise ModelFileError(f"{root} is a link; a model folder reaches nothing outside itself")
        for folder, folders, files in os.walk(root):
            for name in folders:
                if os.path.islink(os.path.join(folder, name)):
                    raise ModelFileError(f"{os.path.join(folder, name)} is a link; a model folder reaches nothing outside itself")
            for name in files:
                place = os.path.join(folder, name)
                found[os.path.relpath(place, root)] = read_regular(place)
        return found


def read_regular(path: str, most: int | None = None) -> bytes:
    """The bytes of a plain file that belongs to a model; a link or device in its place is refused. Raises ModelFileError."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        what = "is a link; a model file reaches nothing outside itself" if error.errno == errno.ELOOP else \
            f"cannot be read ({error.strerror})"
        raise ModelFileError(f"{path} {what}") from None
    with open(handle, "rb") as file:
        found = os.fstat(file.fileno())
        if not stat.S_ISREG(found.st_mode):
            raise ModelFileError(f"{path} is no plain file")
        if most is not None and found.st_size > most:
            raise ModelFileError(f"{path} is larger ({found.st_size} bytes) than any model's")
        return file.read()

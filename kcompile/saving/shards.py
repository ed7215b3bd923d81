"""Owns weights spread over several files: `x.weights.json`, an index, and `x_00000.weights.h5`, ... beside it, in Keras 3's form.

The index is replaced last, in one step, and refers to files that no older index refers to. So a save is whole or not at all here too.
"""

from __future__ import annotations

import functools
import json
import os
import re
from typing import Any, BinaryIO

import numpy as np

from ..common.users_code import warn
from .archive import parse_json
from .atomic import not_written, write_whole
from .errors import ModelFileError
from .folder import read_regular
from .hdf5 import Group, read_hdf5
from .hdf5_writer import Writer

ENDING = ".weights.json"
_SHARD = re.compile(r"[^/\\\0]*_\d{5,}\.weights\.h5")
_MOST_SHARDS = 10_000
_DEEPEST = 100


# -- out ----------------------------------------------------------------------------------------------------------
def index_path(path: str) -> str:
    """The path of the index for a path that a user gave: `.weights.h5` means `.weights.json`, with a warning. Raises ValueError."""
    if path.endswith(ENDING):
        return path
    if not path.endswith(".weights.h5"):
        raise ValueError(f"The filename must end in `{ENDING}` when `max_shard_size` is specified. Received: filepath={path}")
    other = path.removesuffix(".weights.h5") + ENDING
    warn(f"weights in shards have an index that ends in `.json`: it is written to {other}, not to {path}")
    return other


def write_shards(path: str, entries: list[tuple[str, str, dict[str, np.ndarray[Any, Any]]]], largest: Any) -> None:
    """Write an index and its shards. entries: (path of a layer, its name, {key: array}); largest: GiB in a shard.

    Raises ValueError for a size that is none, or that a single array exceeds.
    """
    if isinstance(largest, bool) or not isinstance(largest, (int, float)) or not largest > 0:
        raise ValueError(f"`max_shard_size` must be a positive number, in GB. Received: max_shard_size={largest!r}")
    shards, places, total = _shards(entries, largest * 2**30)
    folder, name = os.path.split(path)
    base = name.removesuffix(ENDING)
    older = _referred(path)
    numbers = [int(file.rsplit("_", 1)[1].split(".")[0]) for file in older]
    first = 0 if not older else 1 if len(shards) < min(filter(None, numbers), default=0) else 1 + max(numbers)
    files = [f"{base}_{first + number:05}.weights.h5" for number in range(len(shards))]
    try:
        for file, data in zip(files, shards, strict=True):
            write_whole(os.path.join(folder, file), functools.partial(_put, data))
    except BaseException as error:
        for file in files:
            if os.path.exists(os.path.join(folder, file)):
                os.unlink(os.path.join(folder, file))
        if isinstance(error, OSError) and error.errno:
            raise not_written(type(error)(error.errno, os.strerror(error.errno)), path, bool(older)) from None
        raise
    weight_map = {place: files[held[0]] if len(held) == 1 else [files[number] for number in held] for place, held in places.items()}
    index = {"metadata": {"total_size": total}, "weight_map": weight_map}
    write_whole(path, functools.partial(_put, json.dumps(index, indent=4).encode()))
    for file in older - set(files):
        place = os.path.join(folder, file)
        if file == f"{base}_00000.weights.h5":  # Keras opens this one whatever the index says
            empty = Writer().bytes()
            write_whole(place, functools.partial(_put, empty))
        elif os.path.exists(place):
            os.unlink(place)


def _put(data: bytes, stream: BinaryIO) -> None:
    stream.write(data)


def _referred(path: str) -> set[str]:
    """The shards of an index that is there already."""
    try:
        with open(path, "rb") as file:
            return set(_files(parse_json(file.read(), path), path)) | {f"{os.path.basename(path).removesuffix(ENDING)}_00000.weights.h5"}
    except (OSError, ModelFileError):
        return set()


def _shards(entries: list[tuple[str, str, dict[str, np.ndarray[Any, Any]]]],
            largest: float) -> tuple[list[bytes], dict[str, list[int]], int]:
    """(the files, {group: numbers of its files}, bytes of all arrays)."""
    done: list[bytes] = []
    places: dict[str, list[int]] = {}
    total = size = 0
    writer = Writer()
    for path, name, store in entries:
        place = f"{path}/vars" if path else "vars"
        for key, value in store.items():
            array = np.asarray(value)
            total += array.nbytes
            if array.nbytes > largest:
                raise ValueError(f"variable {key} of '{name}' takes {array.nbytes} bytes, more than a shard of max_shard_size="
                                 f"{largest / 2**30:g} GB may hold ({int(largest)} bytes): give a larger `max_shard_size`")
            if size + array.nbytes > largest:
                done.append(writer.bytes())
                writer, size = Writer(), 0
            size += array.nbytes
            writer.group(place, {"name": name})
            writer.array(f"{place}/{key}", array)
            held = places.setdefault(f"/{place}", [])
            if not held or held[-1] != len(done):
                held.append(len(done))
    return [*done, writer.bytes()], places, total


# -- in -----------------------------------------------------------------------------------------------------------
def is_index(path: str, data: bytes) -> bool:
    return path.endswith(".json") and data[:1] == b"{"


def _files(index: dict[str, Any], path: str) -> list[str]:
    """The names of an index's shards. Raises ModelFileError for those that lie elsewhere."""
    groups = index.get("weight_map")
    if not isinstance(groups, dict):
        raise ModelFileError(f"{path}: there is no map of weights in it, so it is no index of weights in shards")
    found: dict[str, None] = {}
    for files in groups.values():
        for file in files if isinstance(files, list) else [files]:
            if not isinstance(file, str) or not _SHARD.fullmatch(file):
                raise ModelFileError(f"{path}: the index refers to {file!r}; shards are named like 'model_00000.weights.h5' and lie beside "
                                     "their index")
            found[file] = None
    if len(found) > _MOST_SHARDS:
        raise ModelFileError(f"{path}: the index refers to more than {_MOST_SHARDS} shards")
    return list(found)


def read_shards(path: str, data: bytes) -> Group:
    """The groups and arrays that an index refers to, as if they were in one file. Raises ModelFileError."""
    index = parse_json(data, path)
    folder = os.path.dirname(path)
    shards = {file: read_hdf5(read_regular(os.path.join(folder, file)), os.path.join(folder, file)) for file in _files(index, path)}
    root = Group("")
    for place, files in index["weight_map"].items():
        target = root
        if place.count("/") > _DEEPEST:
            raise ModelFileError(f"{path}: groups nested deeper than {_DEEPEST}")
        for part in place.strip("/").split("/"):
            inner = target.members.setdefault(part, Group(f"{target.path}/{part}".strip("/")))
            if not isinstance(inner, Group):
                raise ModelFileError(f"{path}: the index has a group '{place}' inside an array")
            target = inner
        for file in files if isinstance(files, list) else [files]:
            group = shards[file].group(place.strip("/"))
            if group is None:
                raise ModelFileError(f"{path}: the index says that {file} holds the group '{place}', which is not there")
            target.attributes.update(group.attributes)
            for name, member in group.members.items():
                if target.members.setdefault(name, member) is not member:
                    raise ModelFileError(f"{path}: '{place}/{name}' is in two shards")
    root.stored = sum(shard.stored for shard in shards.values())
    return root

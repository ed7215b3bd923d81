"""Owns opening model files: what a path names (zip, folder, HDF5, shards), found by looking at it, never by its name."""

from __future__ import annotations

import os

from .archive import Archive
from .errors import ModelFileError
from .folder import Folder
from .hdf5 import SIGNATURE, Group, read_hdf5
from .shards import is_index, read_shards

Path = str | os.PathLike[str]


def open_file(filepath: Path) -> tuple[str, Archive | Folder | Group]:
    """(path, what is there): a zip file or folder of a whole model, or the groups and arrays of an HDF5 file or of shards.

    Raises ValueError for a path where nothing is, ModelFileError for damaged and hostile files.
    """
    path = os.fspath(filepath)
    if os.path.isdir(path):
        return path, Folder(path)
    if not os.path.isfile(path):
        kind = "is neither a file nor a folder" if os.path.exists(path) else "there is nothing at this path"
        raise ValueError(f"File not found: filepath={path} ({kind}). Please ensure the file is an accessible `.keras` zip file or HDF5 "
                         "file.")
    with open(path, "rb") as file:
        data = file.read()
    if data[:4] in (b"PK\x03\x04", b"PK\x05\x06"):
        return path, Archive(data, path)
    if data[:8] == SIGNATURE:
        return path, read_hdf5(data, path)
    if is_index(path, data):
        return path, read_shards(path, data)
    raise ModelFileError(f"{path} is neither a `.keras` zip file nor an HDF5 file (its first bytes are wrong)")


def weights_of(path: str, source: Archive | Folder | Group) -> Group:
    """The groups and arrays of the weights in what `open_file` found."""
    return source if isinstance(source, Group) else read_hdf5(source.weights(), f"{path}: model.weights.h5")

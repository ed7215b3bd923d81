"""Owns the writing of HDF5 files, with h5py: only what kcompile itself holds goes out this way."""

from __future__ import annotations

import io
import json
from typing import Any

import numpy as np

_LARGEST_ATTRIBUTE = 64512  # HDF5 keeps attributes in an object header, which holds less than 64 KiB


class Writer:
    """An HDF5 file made in memory. `bytes()` gives it."""

    def __init__(self) -> None:
        import h5py

        self._buffer = io.BytesIO()
        self._file = h5py.File(self._buffer, "w")

    def group(self, path: str, attributes: dict[str, Any] | None = None) -> None:
        group = self._file.require_group(path) if path else self._file
        for name, value in (attributes or {}).items():
            group.attrs[name] = value

    def array(self, path: str, value: np.ndarray[Any, Any]) -> None:
        """An array; bfloat16 as Keras stores it, two bytes an element and an attribute that says so."""
        value = np.asarray(value)
        if value.dtype.name == "bfloat16":
            raw = self._file.create_dataset(path, data=value.view("V2"))
            raw.attrs["dtype"] = "bfloat16"
        else:
            self._file.create_dataset(path, data=value)

    def text(self, path: str, name: str, value: Any) -> None:
        """A string, or data as JSON, as an attribute."""
        encoded = value if isinstance(value, str) else json.dumps(value)
        (self._file[path] if path else self._file).attrs[name] = encoded.encode("utf-8")

    def names(self, path: str, name: str, values: list[str]) -> None:
        """A list of strings as an attribute, spread over name0, name1, ... when it is too large for one."""
        target = self._file[path] if path else self._file
        encoded = [value.encode("utf-8") for value in values]
        longest = max(map(len, encoded), default=0)
        if longest > _LARGEST_ATTRIBUTE:
            raise ValueError(f"a name of {longest} bytes is too long for an HDF5 file")
        most = max(1, _LARGEST_ATTRIBUTE // max(longest, 16))  # names in one attribute
        if len(encoded) <= most:
            target.attrs[name] = encoded
            return
        for number, start in enumerate(range(0, len(encoded), most)):
            target.attrs[f"{name}{number}"] = encoded[start:start + most]

    def bytes(self) -> bytes:
        self._file.close()
        return self._buffer.getvalue()

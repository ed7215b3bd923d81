"""Reads the pickles inside the files of data sets without running anything that they say.

The files hold dicts, lists, numbers, strings and numpy arrays. The three names that a pickled array needs are answered by classes of our
own, which check what they are given; every other name is refused. numpy's own unpickling is never reached.
"""

from __future__ import annotations

import io
import math
import pickle
import zipfile
from pathlib import Path
from typing import IO, Any

import numpy as np

_MULTIARRAY = ("numpy.core.multiarray", "numpy._core.multiarray", "numpy._core._multiarray_umath")
_LIMIT = 1 << 30  # bytes of one member of an .npz file


class PickleError(ValueError):
    """A pickle that holds more than the plain data of a data set, or is damaged."""


class _ArrayClass:
    """Stands for numpy.ndarray, which is only ever an argument."""


class _PickledDtype:
    """A dtype as its pickle describes it: a code such as "u1" or "O8", and a byte order."""

    def __init__(self, code: Any, *rest: Any) -> None:
        self.code = code.decode("ascii", "replace") if isinstance(code, bytes) else str(code)
        self.order = "|"

    def __setstate__(self, state: Any) -> None:
        if isinstance(state, tuple) and len(state) > 1 and state[1] in ("<", ">", "|", "=", b"<", b">", b"|", b"="):
            self.order = state[1].decode() if isinstance(state[1], bytes) else state[1]

    def is_objects(self) -> bool:
        return self.code in ("O", "O8")

    def dtype(self) -> np.dtype[Any]:
        if self.code[:1] not in "biuf" or not self.code[1:].isdecimal():
            raise PickleError(f"an array of dtype {self.code!r}")
        try:
            return np.dtype(self.code).newbyteorder("=" if self.order == "|" else self.order)  # type: ignore[arg-type]
        except TypeError:
            raise PickleError(f"an array of dtype {self.code!r}") from None


class _PickledArray:
    """An array as its pickle describes it: (version, shape, dtype, Fortran order, bytes or a list of objects)."""

    def __init__(self, *arguments: Any) -> None:
        self.array: Any = None

    def __setstate__(self, state: Any) -> None:
        if not (isinstance(state, tuple) and len(state) in (4, 5)):
            raise PickleError("an array without its state")
        shape, dtype, fortran, content = state[-4:]
        if not (isinstance(shape, tuple) and all(type(size) is int and size >= 0 for size in shape) and isinstance(dtype, _PickledDtype)):
            raise PickleError("an array whose shape or dtype is none")
        if dtype.is_objects():
            if not isinstance(content, list) or len(content) != math.prod(shape):
                raise PickleError(f"an array of objects of shape {shape} without its {math.prod(shape)} objects")
            flat = np.empty(len(content), object)
            flat[:] = [value.array if isinstance(value, _PickledArray) else value for value in content]
            self.array = flat.reshape(shape, order="F" if fortran else "C")
            return
        kind = dtype.dtype()
        if isinstance(content, str):  # how Python 3 reads the bytes of Python 2 in Latin-1
            content = content.encode("latin-1")
        if not isinstance(content, bytes) or len(content) != math.prod(shape) * kind.itemsize:
            raise PickleError(f"an array of shape {shape} and dtype {dtype.code!r} without its bytes")
        self.array = np.frombuffer(content, kind).reshape(shape, order="F" if fortran else "C")


_NAMES: dict[tuple[str, str], Any] = {
    ("numpy", "ndarray"): _ArrayClass,
    ("numpy", "dtype"): _PickledDtype,
    **{(module, "_reconstruct"): _PickledArray for module in _MULTIARRAY},
}


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _NAMES:
            raise PickleError(f"the name {module}.{name}, which no data set needs; the file may be malicious")
        return _NAMES[module, name]

    def persistent_load(self, pid: Any) -> Any:
        raise PickleError("a persistent object")


def load_pickle(file: IO[bytes], what: str) -> Any:
    """What a pickle holds; arrays at its top, in a dict or in a list are numpy arrays. Strings of Python 2 come as bytes.

    Raises PickleError that names `what`, the file.
    """
    try:
        value = _Unpickler(file, encoding="bytes").load()
    except PickleError as error:
        raise PickleError(f"{what} is refused: it holds {error}") from None
    except Exception as error:  # a damaged pickle raises nearly anything
        raise PickleError(f"{what} is damaged: {type(error).__name__}: {error}") from None
    if isinstance(value, dict):
        return {_plain(key): _plain(part) for key, part in value.items()}
    return [_plain(part) for part in value] if isinstance(value, list) else _plain(value)


def _plain(value: Any) -> Any:
    return value.array if isinstance(value, _PickledArray) else value


def load_arrays(path: Path, names: tuple[str, ...], what: str) -> list[Any]:
    """The arrays of these names in an .npz file, arrays of Python lists among them. Raises OSError that says what the file should be."""
    try:
        with zipfile.ZipFile(path) as archive:
            return [_load_array(archive, name, path) for name in names]
    except (KeyError, ValueError, OSError, EOFError, zipfile.BadZipFile, zipfile.zlib.error) as error:  # type: ignore[attr-defined]
        raise OSError(f"{path} is not {what} in the form of Keras (an .npz file with {', '.join(names)}): {error}") from None


def _load_array(archive: zipfile.ZipFile, name: str, path: Path) -> Any:
    entry = archive.getinfo(f"{name}.npy")
    if entry.file_size > _LIMIT:
        raise OSError(f"{name} has {entry.file_size} bytes")
    file = io.BytesIO(archive.read(entry))
    version = np.lib.format.read_magic(file)
    header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = header(file)
    if dtype.kind != "O":
        if math.prod(shape) * dtype.itemsize > _LIMIT:  # numpy would make room for it first
            raise ValueError(f"{name} says that it has shape {shape}")
        file.seek(0)
        return np.lib.format.read_array(file, allow_pickle=False)
    array = load_pickle(file, f"{name} in {path.name}")
    if not isinstance(array, np.ndarray) or array.shape != shape:
        raise ValueError(f"{name} does not hold the array of shape {shape} that it announces")
    return array

"""tf.io: files as text tensors, and the images in them."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from kcompile.dtypes import numpy_dtype
from kcompile.suggest import suggest_names
from kcompile.tensor import KerasTensor, Tensor

from .image import decode_bmp, decode_gif, decode_image, decode_jpeg, decode_png, encode_jpeg, encode_png

__all__ = ["decode_bmp", "decode_gif", "decode_image", "decode_jpeg", "decode_png", "decode_raw", "encode_jpeg", "encode_png", "read_file",
           "write_file"]


def _path(filename: Any) -> str:
    if isinstance(filename, KerasTensor):
        filename._refuse("the name of a file must be known")
    value: Any = filename._array[()] if isinstance(filename, Tensor) else filename
    return os.fsdecode(value)


def text_tensor(value: bytes) -> Tensor:
    """A scalar tensor of text, which is bytes."""
    array = np.empty((), object)
    array[()] = value
    return Tensor(array)


def read_file(filename: Any, name: str | None = None) -> Any:
    """The contents of a file as a scalar text tensor. Raises FileNotFoundError."""
    with open(_path(filename), "rb") as file:
        return text_tensor(file.read())


def write_file(filename: Any, contents: Any, name: str | None = None) -> None:
    """Write a text tensor to a file; its folder is made."""
    value: Any = contents._array[()] if isinstance(contents, Tensor) else contents
    path = _path(filename)
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    with open(path, "wb") as file:
        file.write(value.encode() if isinstance(value, str) else value)


def decode_raw(input_bytes: Any, out_type: Any, little_endian: bool = True, fixed_length: int | None = None,
               name: str | None = None) -> Any:
    """The bytes of a text tensor as numbers, along a new last axis. Raises ValueError for bytes that do not fill whole numbers."""
    array = input_bytes._array if isinstance(input_bytes, Tensor) else np.asarray(input_bytes, object)
    dtype = numpy_dtype(out_type).newbyteorder("<" if little_endian else ">")
    rows = [np.frombuffer(item[:fixed_length], dtype).astype(dtype.newbyteorder("=")) for item in array.reshape(-1)]
    return Tensor(np.stack(rows).reshape(*array.shape, -1))


suggest_names(__name__)

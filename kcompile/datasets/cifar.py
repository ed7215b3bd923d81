"""What the two sets of CIFAR share: batches of 32 x 32 pixels in three colours, pickled by Python 2."""

from __future__ import annotations

import io
from typing import Any

import numpy as np

from ..config import image_data_format
from .pickles import PickleError, load_pickle

LIMIT = 1 << 28  # bytes; the largest batch has 1.5e8


def read_batch(content: bytes, name: str, label_key: str) -> tuple[Any, Any]:
    """(pixels uint8 [n, 3, 32, 32], labels uint8 [n, 1]) of one file. Raises OSError that names it."""
    try:
        batch = load_pickle(io.BytesIO(content), name)
    except PickleError as error:
        raise OSError(str(error)) from None
    if not isinstance(batch, dict):
        raise OSError(f"{name} is no batch of CIFAR: it holds a {type(batch).__name__}")
    pixels, labels = batch.get(b"data"), batch.get(label_key.encode())
    if not isinstance(pixels, np.ndarray) or pixels.dtype != np.uint8 or pixels.ndim != 2 or pixels.shape[1] != 3072:
        raise OSError(f"{name} is no batch of CIFAR: its data is not of dtype uint8 and shape (n, 3072)")
    if not isinstance(labels, list) or len(labels) != len(pixels) or not all(type(label) is int and 0 <= label < 256 for label in labels):
        raise OSError(f"{name} is no batch of CIFAR: {label_key} is not a list of {len(pixels)} numbers")
    return pixels.reshape(-1, 3, 32, 32), np.array(labels, np.uint8).reshape(-1, 1)


def in_data_format(pixels: Any) -> Any:
    """[n, 3, 32, 32], or [n, 32, 32, 3] where image_data_format() is "channels_last"; rows lie together in memory."""
    return np.ascontiguousarray(pixels.transpose(0, 2, 3, 1)) if image_data_format() == "channels_last" else pixels

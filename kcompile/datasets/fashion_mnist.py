"""Fashion-MNIST: 70,000 pictures of clothes in 10 classes, 28 x 28 grey pixels."""

from __future__ import annotations

import gzip
import math
import zlib
from typing import Any

import numpy as np

from .sources import locate

_LIMIT = 1 << 28  # bytes of an unpacked file


def load_data() -> tuple[tuple[Any, Any], tuple[Any, Any]]:
    """((x_train, y_train), (x_test, y_test)): uint8 [60000, 28, 28] and [60000]; uint8 [10000, 28, 28] and [10000].

    Raises OSError when the files are neither on disk nor to be had.
    """
    pairs = []
    for part in ("train", "t10k"):
        labels = _read_idx(f"{part}-labels-idx1-ubyte.gz", 1)
        pixels = _read_idx(f"{part}-images-idx3-ubyte.gz", 3)
        if pixels.shape != (len(labels), 28, 28):
            raise OSError(f"Fashion-MNIST: {part}-images have shape {pixels.shape} for {len(labels)} labels, expected 28 x 28 pixels each")
        pairs.append((pixels, labels))
    return pairs[0], pairs[1]


def _read_idx(name: str, rank: int) -> Any:
    """An array of bytes in the IDX format: a magic number, the sizes (big-endian, 4 bytes each), the values."""
    path = locate(name)
    try:
        with gzip.open(path, "rb") as file:
            content = file.read(_LIMIT)
    except (gzip.BadGzipFile, zlib.error, EOFError) as error:
        raise OSError(f"{path} is damaged: {error}") from None
    start = 4 + 4 * rank
    if len(content) < start or content[:4] != bytes([0, 0, 8, rank]):
        raise OSError(f"{path} is no IDX file of bytes with {rank} dimensions")
    shape = tuple(int(size) for size in np.frombuffer(content, ">u4", rank, 4))
    if len(content) - start != math.prod(shape):
        raise OSError(f"{path} says that its shape is {shape} and holds {len(content) - start} values")
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape).copy()

"""MNIST: 70,000 handwritten digits, 28 x 28 grey pixels."""

from __future__ import annotations

from typing import Any

from .pickles import load_arrays
from .sources import locate


def load_data(path: str = "mnist.npz") -> tuple[tuple[Any, Any], tuple[Any, Any]]:
    """((x_train, y_train), (x_test, y_test)): uint8 [60000, 28, 28] and [60000]; uint8 [10000, 28, 28] and [10000].

    path: the name of the file in the cache. Raises OSError when the file is neither on disk nor to be had.
    """
    x_train, y_train, x_test, y_test = load_arrays(locate("mnist.npz", path), ("x_train", "y_train", "x_test", "y_test"), "MNIST")
    return (x_train, y_train), (x_test, y_test)

"""MNIST: 70,000 handwritten digits, 28 x 28 grey pixels."""

from __future__ import annotations

from typing import Any

import numpy as np

from .sources import DataFile, locate

FILE = DataFile("mnist.npz", "https://storage.googleapis.com/tensorflow/tf-keras-datasets/mnist.npz",
                "731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1")


def load_data(path: str = "mnist.npz") -> tuple[tuple[Any, Any], tuple[Any, Any]]:
    """((x_train, y_train), (x_test, y_test)): uint8 [60000, 28, 28] and [60000]; uint8 [10000, 28, 28] and [10000].

    path: the name of the file in the cache. Raises OSError when the file is neither on disk nor to be had.
    """
    found = locate(FILE, path)
    try:
        with np.load(found, allow_pickle=False) as arrays:
            return (arrays["x_train"], arrays["y_train"]), (arrays["x_test"], arrays["y_test"])
    except (KeyError, ValueError, OSError) as error:
        raise OSError(f"{found} is not MNIST in the form of Keras (an .npz file with x_train, y_train, x_test, y_test): {error}") from None

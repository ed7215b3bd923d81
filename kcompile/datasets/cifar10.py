"""CIFAR-10: 60,000 colour pictures of 32 x 32 pixels in 10 classes."""

from __future__ import annotations

from typing import Any

import numpy as np

from . import cifar
from .sources import locate_archive_members

_TRAIN = tuple(f"data_batch_{number}" for number in range(1, 6))


def load_data() -> tuple[tuple[Any, Any], tuple[Any, Any]]:
    """((x_train, y_train), (x_test, y_test)): uint8 [50000, 32, 32, 3] and [50000, 1]; uint8 [10000, 32, 32, 3] and [10000, 1].

    Pixels are [n, 3, 32, 32] where `config.image_data_format()` is "channels_first". Raises OSError when the archive is neither on
    disk nor to be had.
    """
    files = locate_archive_members("cifar-10-python.tar.gz", "cifar-10-batches-py", "cifar-10-batches-py-target",
                                   (*_TRAIN, "test_batch"), cifar.LIMIT)
    batches = [cifar.read_batch(files[name], name, "labels") for name in _TRAIN]
    x_train, y_train = (np.concatenate([batch[part] for batch in batches]) for part in (0, 1))
    x_test, y_test = cifar.read_batch(files["test_batch"], "test_batch", "labels")
    return (cifar.in_data_format(x_train), y_train), (cifar.in_data_format(x_test), y_test)

"""CIFAR-100: 60,000 colour pictures of 32 x 32 pixels in 100 classes, which make 20 coarse ones."""

from __future__ import annotations

from typing import Any

import numpy as np

from . import cifar
from .sources import locate_archive_members


def load_data(label_mode: str = "fine") -> tuple[tuple[Any, Any], tuple[Any, Any]]:
    """((x_train, y_train), (x_test, y_test)): uint8 [50000, 32, 32, 3], int64 [50000, 1]; uint8 [10000, 32, 32, 3], int64 [10000, 1].

    label_mode: "fine" for 100 classes, "coarse" for 20. Pixels are [n, 3, 32, 32] where `config.image_data_format()` is
    "channels_first". Raises ValueError for another label_mode, OSError when the archive is neither on disk nor to be had.
    """
    if label_mode not in ("fine", "coarse"):
        raise ValueError(f"`label_mode` must be 'fine' or 'coarse', received label_mode={label_mode!r}")
    files = locate_archive_members("cifar-100-python.tar.gz", "cifar-100-python", "cifar-100-python-target", ("train", "test"), cifar.LIMIT)
    (x_train, y_train), (x_test, y_test) = (cifar.read_batch(files[name], name, f"{label_mode}_labels") for name in ("train", "test"))
    return ((cifar.in_data_format(x_train), y_train.astype(np.int64)), (cifar.in_data_format(x_test), y_test.astype(np.int64)))

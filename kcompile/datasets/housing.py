"""What the two sets of house prices share: an .npz file with x and y, whose rows are shuffled and then split."""

from __future__ import annotations

from typing import Any

import numpy as np

from .pickles import load_arrays
from .sources import locate


def load(name: str, path: str, what: str, test_split: float, seed: int, rows: int | None = None) -> tuple[tuple[Any, Any], tuple[Any, Any]]:
    """((x_train, y_train), (x_test, y_test)) of the first `rows` rows, shuffled as Keras does with that seed."""
    x, y = load_arrays(locate(name, path), ("x", "y"), what)
    if len(x) != len(y):
        raise OSError(f"{path} is not {what}: x has {len(x)} rows, y has {len(y)}")
    order = np.arange(len(x[:rows]))
    np.random.RandomState(seed).shuffle(order)
    x, y = x[order], y[order]
    cut = int(len(x) * (1 - test_split))
    return (x[:cut].copy(), y[:cut].copy()), (x[cut:].copy(), y[cut:].copy())

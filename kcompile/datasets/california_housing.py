"""California housing: 20,640 districts of 1990, 8 features, and the median price of a house in dollars."""

from __future__ import annotations

from typing import Any

from . import housing
from .arguments import check_split

_ROWS = {"small": 600, "large": None}


def load_data(version: str = "large", path: str = "california_housing.npz", test_split: float = 0.2,
              seed: int = 113) -> tuple[tuple[Any, Any], tuple[Any, Any]]:
    """((x_train, y_train), (x_test, y_test)): float32 [16512, 8] and [16512]; float32 [4128, 8] and [4128].

    version: "large", or "small" for the first 600 districts; path: the name of the file in the cache; test_split: the share of the
    rows that are for testing; seed: of the order of the rows. Raises ValueError for arguments that are none of these, OSError when
    the file is neither on disk nor to be had.
    """
    check_split(test_split)
    if version not in _ROWS:
        raise ValueError(f"`version` must be 'small' or 'large', received version={version!r}")
    return housing.load("california_housing.npz", path, "the California housing data", test_split, seed, _ROWS[version])

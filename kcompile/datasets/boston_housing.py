"""Boston housing: 506 districts of 1978, 13 features, and the median price of a house in thousands of dollars."""

from __future__ import annotations

from typing import Any

from . import housing
from .arguments import check_split


def load_data(path: str = "boston_housing.npz", test_split: float = 0.2, seed: int = 113) -> tuple[tuple[Any, Any], tuple[Any, Any]]:
    """((x_train, y_train), (x_test, y_test)): float64 [404, 13] and [404]; float64 [102, 13] and [102].

    path: the name of the file in the cache; test_split: the share of the rows that are for testing; seed: of the order of the rows.
    Raises ValueError for a split outside 0 <= test_split < 1, OSError when the file is neither on disk nor to be had.
    """
    check_split(test_split)
    return housing.load("boston_housing.npz", path, "the Boston housing data", test_split, seed)

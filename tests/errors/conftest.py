"""Data for mistakes to be made with: 8 rows of 4 features."""

from __future__ import annotations

import numpy as np
import pytest


@pytest.fixture
def x() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(8, 4)).astype("float32")


@pytest.fixture
def y() -> np.ndarray:
    return np.random.default_rng(1).normal(size=(8, 1)).astype("float32")

"""Sixty random training graphs through the whole compiler; `random_programs.py` runs as many as one likes."""

import pytest
from random_programs import check_seed

ONCE_WRONG = (3, 26, 43, 58, 69, 108, 540)  # each showed a fault of its own


@pytest.mark.parametrize("seed", [*ONCE_WRONG, *range(1000, 1050)])
def test_native_agrees_with_float64(seed):
    check_seed(seed)

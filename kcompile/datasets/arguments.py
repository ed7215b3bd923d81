"""Checks of arguments that several data sets have."""

from __future__ import annotations

import contextlib


def check_split(test_split: float) -> None:
    """Raises ValueError unless test_split is a number in 0 <= test_split < 1."""
    with contextlib.suppress(TypeError):
        if 0 <= test_split < 1:
            return
    raise ValueError(f"`test_split` must be a number from 0 up to, but not including, 1; received test_split={test_split!r}")

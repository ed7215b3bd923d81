"""Every test starts with fresh automatic names and a fixed seed."""

from __future__ import annotations

import numpy as np
import pytest

from kcompile.naming import clear_session


@pytest.fixture(autouse=True)
def fresh_session():
    clear_session(free_memory=False)


@pytest.fixture
def rng():
    return np.random.default_rng(7)

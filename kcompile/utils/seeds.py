"""One seed for everything random in a program, and the generator that shuffles the rows of `fit`."""

from __future__ import annotations

import random as python_random

import numpy as np

_shuffler: list[np.random.Generator] = []


def set_random_seed(seed: int) -> None:
    """Seed Python's `random`, numpy, the initializers and random layers made from here on, and the shuffling in `fit`.

    seed: an integer in 0 ... 2**32 - 1. Raises ValueError.
    """
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)):
        raise ValueError(f"Expected `seed` argument to be an integer. Received: seed={seed!r} (of type {type(seed).__name__})")
    if not 0 <= seed < 2**32:
        raise ValueError(f"`seed` must lie in 0 ... 2**32 - 1. Received: seed={seed}")
    from .. import random as tensor_random

    python_random.seed(int(seed))
    np.random.seed(int(seed))
    tensor_random.seed_everything(int(seed))
    _shuffler[:] = [np.random.default_rng(int(seed))]


def shuffle_generator() -> np.random.Generator:
    """The generator of row orders: seeded by set_random_seed, else by the operating system."""
    if not _shuffler:
        _shuffler.append(np.random.default_rng())
    return _shuffler[0]

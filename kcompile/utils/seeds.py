"""One seed for everything random in a program, and the generator that shuffles the rows of `fit`."""

from __future__ import annotations

import random as python_random
from typing import Any

import numpy as np

_shuffler: list[np.random.Generator] = []
_seedings = [0]  # how often set_random_seed has been called


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
    _seedings[0] += 1


def shuffle_generator(model: Any = None) -> np.random.Generator:
    """The generator of row orders: seeded by set_random_seed, else by the operating system.

    A model loaded from a file brings its own, which holds until the next set_random_seed.
    """
    own = getattr(model, "_shuffle_generator", None)
    if own is not None and own[1] == _seedings[0]:
        found: np.random.Generator = own[0]
        return found
    if not _shuffler:
        _shuffler.append(np.random.default_rng())
    return _shuffler[0]


def give_generator(model: Any, generator: np.random.Generator) -> None:
    """Let a model order its rows by a generator of its own until the next set_random_seed."""
    object.__setattr__(model, "_shuffle_generator", (generator, _seedings[0]))


def generator_state(generator: np.random.Generator) -> dict[str, Any]:
    """The state of a generator of row orders as plain data."""
    state: Any = generator.bit_generator.state
    return {"state": str(state["state"]["state"]), "inc": str(state["state"]["inc"]), "has_uint32": int(state["has_uint32"]),
            "uinteger": int(state["uinteger"])}


def generator_of(state: Any) -> np.random.Generator | None:
    """The generator that `generator_state` described; None for anything else."""
    try:
        numbers = {name: int(state[name]) for name in ("state", "inc", "has_uint32", "uinteger")}
        generator = np.random.Generator(np.random.PCG64(0))
        generator.bit_generator.state = {"bit_generator": "PCG64", "state": {"state": numbers["state"], "inc": numbers["inc"]},
                                         "has_uint32": numbers["has_uint32"], "uinteger": numbers["uinteger"]}
    except (TypeError, KeyError, ValueError, OverflowError):
        return None
    return generator

"""Owns the states behind dropout and shuffling in a `.keras` file, in a part of its metadata that Keras does not look at."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ..utils import seeds
from .state import walk


def _generators(model: Any) -> Iterator[tuple[str, Any]]:
    from ..layers import Layer

    for path, item in walk(model):
        if isinstance(item, Layer):
            for number, generator in enumerate(item._seed_generators):
                yield f"{path}/{number}", generator


def random_state(model: Any) -> dict[str, Any]:
    """States of the layers' seed generators by path, and of the generator that orders the rows of `fit`."""
    return {"seed_generators": {path: generator.state.array.tolist() for path, generator in _generators(model)},
            "shuffle": seeds.generator_state(seeds.shuffle_generator(model))}


def restore_random_state(model: Any, state: Any) -> None:
    """Take the states back. What is missing or of another shape is left as the model was made: a file of Keras's has none."""
    if not isinstance(state, dict):
        return
    stored = state.get("seed_generators")
    for path, generator in _generators(model):
        value = stored.get(path) if isinstance(stored, dict) else None
        if isinstance(value, list) and len(value) == 2 and all(isinstance(n, int) and 0 <= n < 2**32 for n in value):
            generator.state.array[...] = np.array(value, np.uint32)
    shuffle = seeds.generator_of(state.get("shuffle"))
    if shuffle is not None:
        seeds.give_generator(model, shuffle)

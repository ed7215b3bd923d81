"""tf.random: draws whose seed is the start of a sequence, as in TensorFlow."""

from __future__ import annotations

from typing import Any

import numpy as np

from kcompile import random as keras_random
from kcompile.dtypes import standardize_dtype
from kcompile.naming import root_scope
from kcompile.suggest import suggest_names
from kcompile.tracing import eager_scope

from .arrays import sizes as _sizes

__all__ = ["categorical", "normal", "set_seed", "shuffle", "truncated_normal", "uniform"]


_generators: dict[int, keras_random.SeedGenerator] = {}


def seed_of(seed: int | None) -> Any:
    """TensorFlow's meaning of an operation's seed: the start of a sequence, not the same values at every call."""
    if seed is None:
        return None
    if seed not in _generators:
        with root_scope(), eager_scope():
            _generators[seed] = keras_random.SeedGenerator(seed)
    return _generators[seed]


def set_seed(seed: int) -> None:
    """Seed weights, random layers, shuffling and the draws of this module; numpy's own generator is left alone."""
    from kcompile.utils import set_random_seed
    state = np.random.get_state()
    set_random_seed(seed % 2**32)
    np.random.set_state(state)
    for first, generator in _generators.items():
        generator.state.assign(keras_random.SeedGenerator(first).state)


def normal(shape: Any, mean: float = 0.0, stddev: float = 1.0, dtype: Any = "float32", seed: int | None = None,
           name: str | None = None) -> Any:
    """Normal values."""
    return keras_random.normal(_sizes(shape), mean, stddev, dtype=standardize_dtype(dtype), seed=seed_of(seed))


def truncated_normal(shape: Any, mean: float = 0.0, stddev: float = 1.0, dtype: Any = "float32", seed: int | None = None,
                     name: str | None = None) -> Any:
    """Normal values within two standard deviations."""
    return keras_random.truncated_normal(_sizes(shape), mean, stddev, dtype=standardize_dtype(dtype), seed=seed_of(seed))


def uniform(shape: Any, minval: Any = 0, maxval: Any = None, dtype: Any = "float32", seed: int | None = None,
            name: str | None = None) -> Any:
    """Uniform values in [minval, maxval); integers when the dtype is one. Raises ValueError for integers without maxval."""
    dtype = standardize_dtype(dtype)
    if dtype.is_integer:
        if maxval is None:
            raise ValueError("tf.random.uniform needs maxval for an integer dtype")
        return keras_random.randint(_sizes(shape), minval, maxval, dtype=dtype, seed=seed_of(seed))
    return keras_random.uniform(_sizes(shape), minval, 1.0 if maxval is None else maxval, dtype=dtype, seed=seed_of(seed))


def categorical(logits: Any, num_samples: int, dtype: Any = "int64", seed: int | None = None, name: str | None = None) -> Any:
    """`num_samples` classes for each row of logits `[rows, classes]`."""
    return keras_random.categorical(logits, num_samples, dtype=standardize_dtype(dtype), seed=seed_of(seed))


def shuffle(value: Any, seed: int | None = None, name: str | None = None) -> Any:
    """A random order of the rows."""
    return keras_random.shuffle(value, seed=seed_of(seed))


suggest_names(__name__)

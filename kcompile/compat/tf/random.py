"""tf.random."""

from __future__ import annotations

from typing import Any

from kcompile import random as keras_random

__all__ = ["categorical", "normal", "set_seed", "shuffle", "truncated_normal", "uniform"]


def set_seed(seed: int) -> None:
    """Seed every generator, as keras.utils.set_random_seed does."""
    from kcompile.utils import set_random_seed
    set_random_seed(seed)


def normal(shape: Any, mean: float = 0.0, stddev: float = 1.0, dtype: Any = "float32", seed: int | None = None,
           name: str | None = None) -> Any:
    """Normal values."""
    return keras_random.normal(shape, mean, stddev, dtype=dtype, seed=seed)


def truncated_normal(shape: Any, mean: float = 0.0, stddev: float = 1.0, dtype: Any = "float32", seed: int | None = None,
                     name: str | None = None) -> Any:
    """Normal values within two standard deviations."""
    return keras_random.truncated_normal(shape, mean, stddev, dtype=dtype, seed=seed)


def uniform(shape: Any, minval: Any = 0, maxval: Any = None, dtype: Any = "float32", seed: int | None = None,
            name: str | None = None) -> Any:
    """Uniform values in [minval, maxval); integers when the dtype is one."""
    if "int" in str(dtype):
        if maxval is None:
            raise ValueError("tf.random.uniform needs maxval for an integer dtype")
        return keras_random.randint(shape, minval, maxval, dtype=dtype, seed=seed)
    return keras_random.uniform(shape, minval, 1.0 if maxval is None else maxval, dtype=dtype, seed=seed)


def categorical(logits: Any, num_samples: int, dtype: Any = "int64", seed: int | None = None, name: str | None = None) -> Any:
    """`num_samples` classes for each row of logits `[rows, classes]`."""
    return keras_random.categorical(logits, num_samples, dtype=dtype, seed=seed)


def shuffle(value: Any, seed: int | None = None, name: str | None = None) -> Any:
    """A random order of the rows."""
    return keras_random.shuffle(value, seed=seed)


def __getattr__(name: str) -> Any:
    if name.startswith("__"):
        raise AttributeError(name)
    from kcompile.suggest import missing_attribute
    raise missing_attribute("tf.random", name)

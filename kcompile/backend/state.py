"""Keras 2's variables and random tensors."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from .. import ops, random
from ..config import floatx
from ..dtypes import standardize_dtype
from ..variables import Variable

__all__ = [
    "batch_get_value", "batch_set_value", "get_value", "moving_average_update", "random_bernoulli", "random_normal",
    "random_normal_variable", "random_uniform", "random_uniform_variable", "set_value", "truncated_normal", "update", "update_add",
    "update_sub", "variable",
]


def variable(value: Any, dtype: Any = None, name: str | None = None, constraint: Any = None) -> Variable:
    """A variable with a value; floatx by default."""
    return Variable(value, dtype=floatx() if dtype is None else dtype, name=name, constraint=constraint, autocast=False)


def get_value(x: Any) -> Any:
    """The values as a numpy array."""
    return ops.convert_to_numpy(x)


def set_value(x: Variable, value: Any) -> None:
    """Set a variable."""
    x.assign(value)


def batch_get_value(tensors: Iterable[Any]) -> list[Any]:
    """The values of several variables."""
    return [get_value(x) for x in tensors]


def batch_set_value(tuples: Iterable[tuple[Variable, Any]]) -> None:
    """Set several variables: (variable, value) pairs."""
    for x, value in tuples:
        x.assign(value)


def update(x: Variable, new_x: Any) -> Any:
    """Set a variable."""
    return x.assign(new_x)


def update_add(x: Variable, increment: Any) -> Any:
    """Add to a variable."""
    return x.assign_add(increment)


def update_sub(x: Variable, decrement: Any) -> Any:
    """Subtract from a variable."""
    return x.assign_sub(decrement)


def moving_average_update(x: Variable, value: Any, momentum: float) -> Any:
    """x = x * momentum + value * (1 - momentum)."""
    return x.assign(x.value * momentum + value * (1.0 - momentum))


def random_normal(shape: Any, mean: float = 0.0, stddev: float = 1.0, dtype: Any = None, seed: Any = None) -> Any:
    """Normally distributed values."""
    return random.normal(shape, mean, stddev, dtype, seed)


def random_uniform(shape: Any, minval: float = 0.0, maxval: float = 1.0, dtype: Any = None, seed: Any = None) -> Any:
    """Values spread evenly over [minval, maxval)."""
    return random.uniform(shape, minval, maxval, dtype, seed)


def truncated_normal(shape: Any, mean: float = 0.0, stddev: float = 1.0, dtype: Any = None, seed: Any = None) -> Any:
    """Normally distributed values within two standard deviations."""
    return random.truncated_normal(shape, mean, stddev, dtype, seed)


def random_bernoulli(shape: Any, p: float = 0.0, dtype: Any = None, seed: Any = None) -> Any:
    """1 with probability p, else 0."""
    return ops.cast(random.uniform(shape, seed=seed) < p, standardize_dtype(dtype))


def random_normal_variable(shape: Any, mean: float, scale: float, dtype: Any = None, name: str | None = None, seed: Any = None) -> Variable:
    """A variable of normally distributed values."""
    return Variable(random.normal(shape, mean, scale, dtype, seed), name=name, autocast=False)


def random_uniform_variable(shape: Any, low: float, high: float, dtype: Any = None, name: str | None = None, seed: Any = None) -> Variable:
    """A variable of values spread evenly over [low, high)."""
    return Variable(random.uniform(shape, low, high, dtype, seed), name=name, autocast=False)

"""Operands for the samples of ops: the same for every test that runs an op."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from .evaluate import bind
from .op import OPS, Attrs, Op, Sample
from .types import DType, TensorType, substitute_dim

Array = npt.NDArray[Any]
BATCHES = (1, 7, 15, 17)  # what the symbol B of a sample is bound to: one, a prime, around a vector's width


def bound_attrs(attrs: Attrs, symbols: Mapping[str, int]) -> dict[str, Any]:
    """Attributes with every Dim in them replaced by its number, as `Op.reference` takes them."""
    return {name: bind(value, symbols) for name, value in attrs.items()}


def bound_type(type: TensorType, symbols: Mapping[str, int]) -> TensorType:
    """The type with every dim replaced by its number."""
    return type.with_shape([substitute_dim(d, symbols) for d in type.shape])


def with_dtype(sample: Sample, old: DType, new: DType) -> Sample:
    """The sample with another element type in place of one of its own."""
    attrs = {name: _retyped(value, old, new) for name, value in sample.attrs.items()}
    inputs = tuple(t.with_dtype(new) if t.dtype == old else t for t in sample.inputs)
    return Sample(inputs, attrs, sample.low, sample.high, sample.integer_low, sample.integer_high, sample.nan_every, sample.name)


def _retyped(value: Any, old: DType, new: DType) -> Any:
    if isinstance(value, DType):
        return new if value == old else value
    return value.with_dtype(new) if isinstance(value, TensorType) and value.dtype == old else value


def sample_operands(op: Op, sample: Sample, symbols: Mapping[str, int], seed: int = 0) -> list[Array]:
    """Arrays for a sample's operands, drawn as it says and the same for the same seed.

    An operand that must agree with the others (y of window_max_grad) is computed from them.
    """
    rng = np.random.default_rng([seed, *symbols.values()])
    arrays = [_draw(rng, bound_type(t, symbols), sample) for t in sample.inputs]
    if op.name in _DEPENDENT:
        arrays = _DEPENDENT[op.name](arrays, bound_attrs(sample.attrs, symbols))
    return arrays


def _draw(rng: np.random.Generator, type: TensorType, sample: Sample) -> Array:
    shape: Any = type.shape
    if type.dtype.kind == "b":
        return np.array(rng.integers(0, 2, shape), np.bool_)
    if type.dtype.is_integer:
        return np.array(rng.integers(sample.integer_low, sample.integer_high, shape)).astype(type.dtype.numpy)
    values = np.array(rng.uniform(sample.low, sample.high, shape))
    if sample.nan_every:
        flat = values.reshape(-1)
        flat[sample.nan_every - 1::sample.nan_every] = np.nan
    return values.astype(type.dtype.numpy)


def _window_max_grad(arrays: list[Array], attrs: Attrs) -> list[Array]:
    x, _, dy = arrays
    return [x, OPS["window_max"].reference(x, **attrs), np.nan_to_num(dy, nan=1.0)]


_DEPENDENT: dict[str, Callable[[list[Array], Attrs], list[Array]]] = {"window_max_grad": _window_max_grad}

"""Keras 2's arithmetic, reductions and comparisons.

What Keras 3's ops do under the same argument names is taken from there; defined here is what differs in Keras 2: argument names,
defaults, dtypes, the square root of negative numbers.
"""

from __future__ import annotations

from typing import Any

from .. import ops
from ..config import floatx
from ..ops import abs, all, any, cos, exp, log, logsumexp, max, min, prod, sign, sin, square, sum

__all__ = [
    "abs", "all", "any", "argmax", "argmin", "clip", "cos", "cumprod", "cumsum", "equal", "exp", "foldl", "foldr", "greater",
    "greater_equal", "l2_normalize", "less", "less_equal", "log", "logsumexp", "map_fn", "max", "maximum", "mean", "min", "minimum",
    "not_equal", "pow", "prod", "round", "sign", "sin", "sqrt", "square", "std", "sum", "var",
]


def _as_float(x: Any) -> Any:
    return ops.cast(x, floatx()) if ops.dtype(x) == "bool" else x


def mean(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """The mean over axes."""
    return ops.mean(_as_float(x), axis=axis, keepdims=keepdims)


def var(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """The variance over axes."""
    return ops.var(_as_float(x), axis=axis, keepdims=keepdims)


def std(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """The standard deviation over axes."""
    return ops.std(_as_float(x), axis=axis, keepdims=keepdims)


def argmax(x: Any, axis: int = -1) -> Any:
    """The position of the largest element; int64, as in Keras 2."""
    return ops.cast(ops.argmax(x, axis=axis), "int64")


def argmin(x: Any, axis: int = -1) -> Any:
    """The position of the smallest element; int64, as in Keras 2."""
    return ops.cast(ops.argmin(x, axis=axis), "int64")


def cumsum(x: Any, axis: int = 0) -> Any:
    """The running sum."""
    return ops.cumsum(x, axis=axis)


def cumprod(x: Any, axis: int = 0) -> Any:
    """The running product."""
    return ops.cumprod(x, axis=axis)


def sqrt(x: Any) -> Any:
    """The square root; of negative numbers 0."""
    return ops.sqrt(ops.maximum(x, 0.0))


def round(x: Any) -> Any:
    """The nearest integer, halves to the even one."""
    return ops.round(x)


def pow(x: Any, a: Any) -> Any:
    """x to the a."""
    return ops.power(x, a)


def clip(x: Any, min_value: Any, max_value: Any) -> Any:
    """x kept within limits; a limit of None is none."""
    low = -float("inf") if min_value is None else min_value
    high = float("inf") if max_value is None else max_value
    if isinstance(low, (int, float)) and isinstance(high, (int, float)):
        high = low if high < low else high
    return ops.clip(x, low, high)


def equal(x: Any, y: Any) -> Any:
    """x == y, element by element."""
    return ops.equal(x, y)


def not_equal(x: Any, y: Any) -> Any:
    """x != y, element by element."""
    return ops.not_equal(x, y)


def greater(x: Any, y: Any) -> Any:
    """x > y, element by element."""
    return ops.greater(x, y)


def greater_equal(x: Any, y: Any) -> Any:
    """x >= y, element by element."""
    return ops.greater_equal(x, y)


def less(x: Any, y: Any) -> Any:
    """x < y, element by element."""
    return ops.less(x, y)


def less_equal(x: Any, y: Any) -> Any:
    """x <= y, element by element."""
    return ops.less_equal(x, y)


def maximum(x: Any, y: Any) -> Any:
    """The larger of both."""
    return ops.maximum(x, y)


def minimum(x: Any, y: Any) -> Any:
    """The smaller of both."""
    return ops.minimum(x, y)


def l2_normalize(x: Any, axis: Any = None) -> Any:
    """x divided by its norm along an axis."""
    return x * ops.rsqrt(ops.maximum(ops.sum(ops.square(x), axis=axis, keepdims=True), 1e-12))


def map_fn(fn: Any, elems: Any, name: str | None = None, dtype: Any = None) -> Any:
    """fn over the first axis, results stacked."""
    return ops.map(fn, elems)


def foldl(fn: Any, elems: Any, initializer: Any = None, name: str | None = None) -> Any:
    """fn(accumulated, element) from the first element to the last."""
    items = ops.unstack(elems)
    total = items.pop(0) if initializer is None else initializer
    for item in items:
        total = fn(total, item)
    return total


def foldr(fn: Any, elems: Any, initializer: Any = None, name: str | None = None) -> Any:
    """fn(accumulated, element) from the last element to the first."""
    return foldl(fn, ops.flip(elems, axis=0), initializer)

"""tf.math: elementwise functions and reductions. TensorFlow's argument names over kcompile.ops."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kcompile import ops
from kcompile.dtypes import standardize_dtype
from kcompile.suggest import suggest_names

from .arrays import argmax, argmin

__all__ = [
    "abs", "acos", "acosh", "add", "add_n", "argmax", "argmin", "asin", "asinh", "atan", "atan2", "atanh", "ceil", "confusion_matrix",
    "cos", "cosh", "count_nonzero", "cumsum", "divide", "divide_no_nan", "equal", "erf", "exp", "expm1", "floor", "floordiv", "floormod",
    "greater", "greater_equal", "is_finite", "is_inf", "is_nan", "l2_normalize", "less", "less_equal", "log", "log1p", "log_sigmoid",
    "logical_and", "logical_not", "logical_or", "logical_xor", "maximum", "minimum", "multiply", "negative", "not_equal", "pow",
    "reciprocal", "reduce_all", "reduce_any", "reduce_logsumexp", "reduce_max", "reduce_mean", "reduce_min", "reduce_prod", "reduce_std",
    "reduce_sum", "reduce_variance", "round", "rsqrt", "sigmoid", "sign", "sin", "sinh", "softplus", "softsign", "sqrt", "square",
    "squared_difference", "subtract", "tan", "tanh", "truediv",
]


def _unary(op: Callable[..., Any], name: str) -> Callable[..., Any]:
    def function(x: Any, name: str | None = None) -> Any:
        return op(x)
    return _named(function, op, name, "of each element")


def _binary(op: Callable[..., Any], name: str) -> Callable[..., Any]:
    def function(x: Any, y: Any, name: str | None = None) -> Any:
        return op(x, y)
    return _named(function, op, name, "of each pair of elements, broadcast")


def _reduction(op: Callable[..., Any], name: str) -> Callable[..., Any]:
    def function(input_tensor: Any, axis: Any = None, keepdims: bool = False, name: str | None = None) -> Any:
        return op(input_tensor, axis=axis, keepdims=keepdims)
    return _named(function, op, name, "over the axes, over all without any")


def _named(function: Callable[..., Any], op: Callable[..., Any], name: str, doc: str) -> Callable[..., Any]:
    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"`keras.ops.{op.__name__}` {doc}."
    return function


abs = _unary(ops.absolute, "abs")
acos = _unary(ops.arccos, "acos")
acosh = _unary(ops.arccosh, "acosh")
asin = _unary(ops.arcsin, "asin")
asinh = _unary(ops.arcsinh, "asinh")
atan = _unary(ops.arctan, "atan")
atanh = _unary(ops.arctanh, "atanh")
ceil = _unary(ops.ceil, "ceil")
cos = _unary(ops.cos, "cos")
cosh = _unary(ops.cosh, "cosh")
erf = _unary(ops.erf, "erf")
exp = _unary(ops.exp, "exp")
expm1 = _unary(ops.expm1, "expm1")
floor = _unary(ops.floor, "floor")
is_finite = _unary(ops.isfinite, "is_finite")
is_inf = _unary(ops.isinf, "is_inf")
is_nan = _unary(ops.isnan, "is_nan")
log = _unary(ops.log, "log")
log1p = _unary(ops.log1p, "log1p")
log_sigmoid = _unary(ops.log_sigmoid, "log_sigmoid")
logical_not = _unary(ops.logical_not, "logical_not")
negative = _unary(ops.negative, "negative")
reciprocal = _unary(ops.reciprocal, "reciprocal")
round = _unary(ops.round, "round")
rsqrt = _unary(ops.rsqrt, "rsqrt")
sigmoid = _unary(ops.sigmoid, "sigmoid")
sign = _unary(ops.sign, "sign")
sin = _unary(ops.sin, "sin")
sinh = _unary(ops.sinh, "sinh")
softplus = _unary(ops.softplus, "softplus")
softsign = _unary(ops.softsign, "softsign")
sqrt = _unary(ops.sqrt, "sqrt")
square = _unary(ops.square, "square")
tan = _unary(ops.tan, "tan")
tanh = _unary(ops.tanh, "tanh")

add = _binary(ops.add, "add")
atan2 = _binary(ops.arctan2, "atan2")
equal = _binary(ops.equal, "equal")
floordiv = _binary(ops.floor_divide, "floordiv")
floormod = _binary(ops.mod, "floormod")
greater = _binary(ops.greater, "greater")
greater_equal = _binary(ops.greater_equal, "greater_equal")
less = _binary(ops.less, "less")
less_equal = _binary(ops.less_equal, "less_equal")
logical_and = _binary(ops.logical_and, "logical_and")
logical_or = _binary(ops.logical_or, "logical_or")
logical_xor = _binary(ops.logical_xor, "logical_xor")
maximum = _binary(ops.maximum, "maximum")
minimum = _binary(ops.minimum, "minimum")
multiply = _binary(ops.multiply, "multiply")
not_equal = _binary(ops.not_equal, "not_equal")
pow = _binary(ops.power, "pow")
subtract = _binary(ops.subtract, "subtract")

reduce_all = _reduction(ops.all, "reduce_all")
reduce_any = _reduction(ops.any, "reduce_any")
reduce_logsumexp = _reduction(ops.logsumexp, "reduce_logsumexp")
reduce_max = _reduction(ops.max, "reduce_max")
reduce_min = _reduction(ops.min, "reduce_min")
reduce_prod = _reduction(ops.prod, "reduce_prod")
reduce_std = _reduction(ops.std, "reduce_std")
reduce_sum = _reduction(ops.sum, "reduce_sum")
reduce_variance = _reduction(ops.var, "reduce_variance")


def truediv(x: Any, y: Any, name: str | None = None) -> Any:
    """x / y of each pair of elements; integers of 32 and 64 bits are divided in float64, as TensorFlow does."""
    x, y = ops.convert_to_tensor(x), ops.convert_to_tensor(y)
    if x.dtype.is_integer and y.dtype.is_integer:
        wide = "float64" if max(x.dtype.size, y.dtype.size) >= 4 else "float32"
        return ops.true_divide(ops.cast(x, wide), ops.cast(y, wide))
    return ops.true_divide(x, y)


def divide(x: Any, y: Any, name: str | None = None) -> Any:
    """The same as truediv."""
    return truediv(x, y)


def divide_no_nan(x: Any, y: Any, name: str | None = None) -> Any:
    """x / y, and 0 where y is 0."""
    zero = ops.equal(y, 0)
    return ops.where(zero, 0.0, ops.true_divide(x, ops.where(zero, 1.0, y)))


def squared_difference(x: Any, y: Any, name: str | None = None) -> Any:
    """(x - y) ** 2 of each pair of elements."""
    return ops.square(ops.subtract(x, y))


def reduce_mean(input_tensor: Any, axis: Any = None, keepdims: bool = False, name: str | None = None) -> Any:
    """`keras.ops.mean` over the axes, over all without any; of integers the truncated mean, as TensorFlow gives."""
    x = ops.convert_to_tensor(input_tensor)
    if not x.dtype.is_integer:
        return ops.mean(x, axis=axis, keepdims=keepdims)
    mean = ops.mean(ops.cast(x, "float64"), axis=axis, keepdims=keepdims)
    return ops.cast(mean, x.dtype)


def count_nonzero(input: Any, axis: Any = None, keepdims: bool = False, dtype: Any = "int64", name: str | None = None) -> Any:
    """The number of elements that are not 0, over the axes."""
    return ops.sum(ops.cast(ops.not_equal(input, 0), standardize_dtype(dtype)), axis=axis, keepdims=keepdims)


def add_n(inputs: Any, name: str | None = None) -> Any:
    """The sum of a list of tensors."""
    total = inputs[0]
    for term in inputs[1:]:
        total = ops.add(total, term)
    return total


def cumsum(x: Any, axis: int = 0, exclusive: bool = False, reverse: bool = False, name: str | None = None) -> Any:
    """Running sums along an axis."""
    if reverse:
        x = ops.flip(x, axis=axis)
    total = ops.cumsum(x, axis=axis)
    if exclusive:
        total = total - x
    return ops.flip(total, axis=axis) if reverse else total


def l2_normalize(x: Any, axis: Any = None, epsilon: float = 1e-12, name: str | None = None) -> Any:
    """x / sqrt(max(sum(x ** 2), epsilon))."""
    return ops.multiply(x, ops.rsqrt(ops.maximum(ops.sum(ops.square(x), axis=axis, keepdims=True), epsilon)))


def confusion_matrix(labels: Any, predictions: Any, num_classes: int | None = None, weights: Any = None, dtype: Any = "int32",
                     name: str | None = None) -> Any:
    """Counts by (label, prediction); eager only."""
    import numpy as np

    from kcompile.tensor import Tensor
    rows, columns = np.asarray(labels).ravel(), np.asarray(predictions).ravel()
    classes = num_classes if num_classes is not None else int(max(rows.max(initial=-1), columns.max(initial=-1))) + 1
    counts = np.zeros((classes, classes), dtype=str(dtype))
    np.add.at(counts, (rows, columns), 1 if weights is None else np.asarray(weights))
    return Tensor(counts)


suggest_names(__name__)

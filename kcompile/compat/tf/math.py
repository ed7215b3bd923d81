"""tf.math: elementwise functions and reductions. TensorFlow's argument names over kcompile.ops."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kcompile import ops

__all__ = [
    "abs",
    "acos",
    "add",
    "add_n",
    "argmax",
    "argmin",
    "asin",
    "atan",
    "atan2",
    "ceil",
    "confusion_matrix",
    "cos",
    "cosh",
    "cumsum",
    "divide",
    "equal",
    "erf",
    "exp",
    "expm1",
    "floor",
    "floordiv",
    "floormod",
    "greater",
    "greater_equal",
    "is_finite",
    "is_inf",
    "is_nan",
    "l2_normalize",
    "less",
    "less_equal",
    "log",
    "log1p",
    "log_sigmoid",
    "logical_and",
    "logical_not",
    "logical_or",
    "logical_xor",
    "maximum",
    "minimum",
    "multiply",
    "negative",
    "not_equal",
    "pow",
    "reciprocal",
    "reduce_all",
    "reduce_any",
    "reduce_logsumexp",
    "reduce_max",
    "reduce_mean",
    "reduce_min",
    "reduce_prod",
    "reduce_std",
    "reduce_sum",
    "reduce_variance",
    "round",
    "rsqrt",
    "sigmoid",
    "sign",
    "sin",
    "sinh",
    "softplus",
    "sqrt",
    "square",
    "subtract",
    "tan",
    "tanh",
    "truediv",
]


def _unary(op: Callable[..., Any], name: str, doc: str) -> Callable[..., Any]:
    def function(x: Any, name: str | None = None) -> Any:
        return op(x)
    function.__name__, function.__qualname__, function.__doc__ = name, name, doc
    return function


def _binary(op: Callable[..., Any], name: str, doc: str) -> Callable[..., Any]:
    def function(x: Any, y: Any, name: str | None = None) -> Any:
        return op(x, y)
    function.__name__, function.__qualname__, function.__doc__ = name, name, doc
    return function


def _reduction(op: Callable[..., Any], name: str, doc: str) -> Callable[..., Any]:
    def function(input_tensor: Any, axis: Any = None, keepdims: bool = False, name: str | None = None) -> Any:
        return op(input_tensor, axis=axis, keepdims=keepdims)
    function.__name__, function.__qualname__, function.__doc__ = name, name, doc
    return function


abs = _unary(ops.absolute, "abs", "absolute of each element.")
acos = _unary(ops.arccos, "acos", "arccos of each element.")
asin = _unary(ops.arcsin, "asin", "arcsin of each element.")
atan = _unary(ops.arctan, "atan", "arctan of each element.")
ceil = _unary(ops.ceil, "ceil", "ceil of each element.")
cos = _unary(ops.cos, "cos", "cos of each element.")
cosh = _unary(ops.cosh, "cosh", "cosh of each element.")
erf = _unary(ops.erf, "erf", "erf of each element.")
exp = _unary(ops.exp, "exp", "exp of each element.")
expm1 = _unary(ops.expm1, "expm1", "expm1 of each element.")
floor = _unary(ops.floor, "floor", "floor of each element.")
is_finite = _unary(ops.isfinite, "is_finite", "isfinite of each element.")
is_inf = _unary(ops.isinf, "is_inf", "isinf of each element.")
is_nan = _unary(ops.isnan, "is_nan", "isnan of each element.")
log = _unary(ops.log, "log", "log of each element.")
log1p = _unary(ops.log1p, "log1p", "log1p of each element.")
log_sigmoid = _unary(ops.log_sigmoid, "log_sigmoid", "log_sigmoid of each element.")
logical_not = _unary(ops.logical_not, "logical_not", "logical_not of each element.")
negative = _unary(ops.negative, "negative", "negative of each element.")
reciprocal = _unary(ops.reciprocal, "reciprocal", "reciprocal of each element.")
round = _unary(ops.round, "round", "round of each element.")
rsqrt = _unary(ops.rsqrt, "rsqrt", "rsqrt of each element.")
sigmoid = _unary(ops.sigmoid, "sigmoid", "sigmoid of each element.")
sign = _unary(ops.sign, "sign", "sign of each element.")
sin = _unary(ops.sin, "sin", "sin of each element.")
sinh = _unary(ops.sinh, "sinh", "sinh of each element.")
softplus = _unary(ops.softplus, "softplus", "softplus of each element.")
sqrt = _unary(ops.sqrt, "sqrt", "sqrt of each element.")
square = _unary(ops.square, "square", "square of each element.")
tan = _unary(ops.tan, "tan", "tan of each element.")
tanh = _unary(ops.tanh, "tanh", "tanh of each element.")

add = _binary(ops.add, "add", "add of each pair of elements.")
atan2 = _binary(ops.arctan2, "atan2", "arctan2 of each pair of elements.")
divide = _binary(ops.true_divide, "divide", "true_divide of each pair of elements.")
equal = _binary(ops.equal, "equal", "equal of each pair of elements.")
floordiv = _binary(ops.floor_divide, "floordiv", "floor_divide of each pair of elements.")
floormod = _binary(ops.mod, "floormod", "mod of each pair of elements.")
greater = _binary(ops.greater, "greater", "greater of each pair of elements.")
greater_equal = _binary(ops.greater_equal, "greater_equal", "greater_equal of each pair of elements.")
less = _binary(ops.less, "less", "less of each pair of elements.")
less_equal = _binary(ops.less_equal, "less_equal", "less_equal of each pair of elements.")
logical_and = _binary(ops.logical_and, "logical_and", "logical_and of each pair of elements.")
logical_or = _binary(ops.logical_or, "logical_or", "logical_or of each pair of elements.")
logical_xor = _binary(ops.logical_xor, "logical_xor", "logical_xor of each pair of elements.")
maximum = _binary(ops.maximum, "maximum", "maximum of each pair of elements.")
minimum = _binary(ops.minimum, "minimum", "minimum of each pair of elements.")
multiply = _binary(ops.multiply, "multiply", "multiply of each pair of elements.")
not_equal = _binary(ops.not_equal, "not_equal", "not_equal of each pair of elements.")
pow = _binary(ops.power, "pow", "power of each pair of elements.")
subtract = _binary(ops.subtract, "subtract", "subtract of each pair of elements.")
truediv = _binary(ops.true_divide, "truediv", "true_divide of each pair of elements.")

reduce_all = _reduction(ops.all, "reduce_all", "all over the axes, all by default.")
reduce_any = _reduction(ops.any, "reduce_any", "any over the axes, all by default.")
reduce_logsumexp = _reduction(ops.logsumexp, "reduce_logsumexp", "logsumexp over the axes, all by default.")
reduce_max = _reduction(ops.max, "reduce_max", "max over the axes, all by default.")
reduce_mean = _reduction(ops.mean, "reduce_mean", "mean over the axes, all by default.")
reduce_min = _reduction(ops.min, "reduce_min", "min over the axes, all by default.")
reduce_prod = _reduction(ops.prod, "reduce_prod", "prod over the axes, all by default.")
reduce_std = _reduction(ops.std, "reduce_std", "std over the axes, all by default.")
reduce_sum = _reduction(ops.sum, "reduce_sum", "sum over the axes, all by default.")
reduce_variance = _reduction(ops.var, "reduce_variance", "var over the axes, all by default.")


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


def argmax(input: Any, axis: int | None = None, output_type: Any = "int64", name: str | None = None) -> Any:
    """tf.argmax."""
    from .arrays import argmax as tf_argmax
    return tf_argmax(input, axis, output_type)


def argmin(input: Any, axis: int | None = None, output_type: Any = "int32", name: str | None = None) -> Any:
    """tf.argmin."""
    from .arrays import argmin as tf_argmin
    return tf_argmin(input, axis, output_type)


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


def __getattr__(name: str) -> Any:
    if name.startswith("__"):
        raise AttributeError(name)
    from kcompile.suggest import missing_attribute
    raise missing_attribute("tf.math", name)

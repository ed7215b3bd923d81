"""Activation functions of neural networks. Gradients at kinks are TensorFlow's: relu's is 0 at 0.

`softmax` and `sigmoid` remember what they were computed from (`_keras_logits`), so that a cross-entropy can start there.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from ..ir import build
from ..ir.graph import Value
from ..tracing import operation
from ._support import Axis, as_value, float_value, normalized_axes, wrap

__all__ = [
    "celu", "elu", "gelu", "glu", "hard_shrink", "hard_sigmoid", "hard_silu", "hard_swish", "hard_tanh", "leaky_relu", "log_sigmoid",
    "log_softmax", "mish", "relu", "relu6", "selu", "sigmoid", "silu", "soft_shrink", "softmax", "softplus", "softsign", "sparse_plus",
    "sparse_sigmoid", "squareplus", "swish", "tanh_shrink", "threshold",
]

SELU_ALPHA = 1.6732632423543772848170429916717
SELU_SCALE = 1.0507009873554804934193349852946


def relu_value(x: Value) -> Value:
    """max(0, x): with the constant first, `maximum` gives x no gradient at 0."""
    return build.maximum(build.zeros_like(x), x)


def softplus_value(x: Value) -> Value:
    """log(1 + exp(x)), written with selects so that the derivative at 0 is exactly a half."""
    positive = build.ge(x, 0.0)
    return build.select(positive, x, 0.0) + build.log1p(build.exp(build.select(positive, -x, x)))


def softmax_value(x: Value, axes: tuple[int, ...]) -> Value:
    """exp(x) over its sum along axes, shifted by the maximum."""
    highest = build.stop_gradient(build.reduce_max(x, axes))
    grown = build.exp(x - build.expand_reduced(highest, x.shape, axes))
    return grown / build.expand_reduced(build.reduce_sum(grown, axes), x.shape, axes)


def log_softmax_value(x: Value, axes: tuple[int, ...]) -> Value:
    """x - log(sum(exp(x))) along axes."""
    highest = build.stop_gradient(build.reduce_max(x, axes))
    shifted = x - build.expand_reduced(highest, x.shape, axes)
    return shifted - build.expand_reduced(build.log(build.reduce_sum(build.exp(shifted), axes)), x.shape, axes)


def _activation(name: str, doc: str, body: Callable[[Value], Value]) -> Any:
    def function(x: Any) -> Any:
        return wrap(body(float_value(x)))
    function.__name__ = function.__qualname__ = name
    function.__doc__ = doc
    return operation(function)


@operation
def relu(x: Any) -> Any:
    """max(x, 0)."""
    return wrap(relu_value(as_value(x)))



@operation
def relu6(x: Any) -> Any:
    """min(max(x, 0), 6)."""
    return wrap(_between(as_value(x), 0, 6))


silu = _activation("silu", "x * sigmoid(x).", lambda x: x * build.sigmoid(x))
swish = silu
softplus = _activation("softplus", "log(1 + exp(x)).", softplus_value)
softsign = _activation("softsign", "x / (1 + |x|).", lambda x: x / (1 + build.abs(x)))
log_sigmoid = _activation("log_sigmoid", "log(sigmoid(x)).", lambda x: -softplus_value(-x))
mish = _activation("mish", "x * tanh(softplus(x)).", lambda x: x * build.tanh(softplus_value(x)))
hard_sigmoid = _activation("hard_sigmoid", "0 below -3, 1 above 3, x / 6 + 1/2 between.",
                           lambda x: _between(x + 3.0, 0.0, 6.0) * (1 / 6))
hard_silu = _activation("hard_silu", "x * hard_sigmoid(x).", lambda x: x * (_between(x + 3.0, 0.0, 6.0) * (1 / 6)))
hard_swish = hard_silu
hard_tanh = _activation("hard_tanh", "x kept within [-1, 1].", lambda x: build.minimum(build.maximum(x, -1.0), 1.0))
tanh_shrink = _activation("tanh_shrink", "x - tanh(x).", lambda x: x - build.tanh(x))
selu = _activation("selu", "A scaled elu that keeps mean 0 and variance 1.", lambda x: _elu(x, SELU_ALPHA) * SELU_SCALE)
sparse_plus = _activation("sparse_plus", "0 below -1, x above 1, (x + 1)^2 / 4 between.", lambda x: _sparse_plus(x))
sparse_sigmoid = _activation("sparse_sigmoid", "0 below -1, 1 above 1, (x + 1) / 2 between.",
                             lambda x: _between(x * 0.5 + 0.5, 0.0, 1.0))


def _between(x: Value, low: float, high: float) -> Value:
    """x kept within [low, high], no gradient outside nor on the edges; NaN stays NaN."""
    return build.minimum(build.full_like(x, high), build.maximum(build.full_like(x, low), x))


def _elu(x: Value, alpha: float) -> Value:
    negative = build.lt(x, 0.0)
    return build.select(negative, build.expm1(build.select(negative, x, 0.0)) * alpha, x)


def _sparse_plus(x: Value) -> Value:
    middle = (x + 1) * (x + 1) * 0.25
    return build.select(build.le(x, -1.0), build.zeros_like(x), build.select(build.lt(x, 1.0), middle, x))


@operation
def sigmoid(x: Any) -> Any:
    """1 / (1 + exp(-x)); the result remembers x as its logits."""
    logits = wrap(float_value(x))
    result = wrap(build.sigmoid(logits.value))
    result._keras_logits = logits  # type: ignore[attr-defined]
    return result


@operation(tensors="x")
def softmax(x: Any, axis: Axis = -1) -> Any:
    """exp(x) / sum(exp(x)) along an axis, or over several (all for None); the result remembers x as its logits."""
    logits = wrap(float_value(x))
    value = logits.value
    result = wrap(softmax_value(value, normalized_axes(axis, value.rank, "softmax")))
    result._keras_logits = logits  # type: ignore[attr-defined]
    return result


@operation(tensors="x")
def log_softmax(x: Any, axis: Axis = -1) -> Any:
    """log(softmax(x)) along an axis."""
    value = float_value(x)
    return wrap(log_softmax_value(value, normalized_axes(axis, value.rank, "log_softmax")))


@operation(tensors="x")
def leaky_relu(x: Any, negative_slope: float = 0.2) -> Any:
    """x above 0, negative_slope * x below."""
    value = float_value(x)
    return wrap(build.select(build.gt(value, 0.0), value, value * float(negative_slope)))


@operation(tensors="x")
def elu(x: Any, alpha: float = 1.0) -> Any:
    """x above 0, alpha * (exp(x) - 1) below."""
    return wrap(_elu(float_value(x), float(alpha)))


@operation(tensors="x")
def celu(x: Any, alpha: float = 1.0) -> Any:
    """max(0, x) + min(0, alpha * (exp(x / alpha) - 1))."""
    value = float_value(x)
    negative = build.lt(value, 0.0)
    return wrap(build.select(negative, build.expm1(build.select(negative, value, 0.0) / float(alpha)) * float(alpha), value))


@operation(tensors="x")
def gelu(x: Any, approximate: bool = True) -> Any:
    """x * P(X <= x) of a standard normal X; `approximate` uses the tanh form."""
    value = float_value(x)
    if approximate:
        cubic = value + value * value * value * 0.044715
        return wrap(value * 0.5 * (1 + build.tanh(cubic * math.sqrt(2 / math.pi))))
    return wrap(value * 0.5 * (1 + build.erf(value * math.sqrt(0.5))))


@operation(tensors="x")
def glu(x: Any, axis: int = -1) -> Any:
    """The first half along an axis times the sigmoid of the second."""
    from .shapes import split

    first, second = split(wrap(float_value(x)), 2, axis)
    return wrap(first.value * build.sigmoid(second.value))


@operation(tensors="x")
def hard_shrink(x: Any, threshold: float = 0.5) -> Any:
    """x, and 0 within [-threshold, threshold]."""
    value = float_value(x)
    return wrap(build.select(build.le(build.abs(value), float(threshold)), build.zeros_like(value), value))


@operation(tensors="x")
def soft_shrink(x: Any, threshold: float = 0.5) -> Any:
    """x moved towards 0 by the threshold, 0 within it."""
    value, t = float_value(x), float(threshold)
    below = build.select(build.lt(value, -t), value + t, 0.0)
    return wrap(build.select(build.gt(value, t), value - t, below))


@operation(tensors="x")
def threshold(x: Any, threshold: float, default_value: float) -> Any:
    """x above the threshold, default_value elsewhere."""
    value = float_value(x)
    return wrap(build.select(build.gt(value, float(threshold)), value, float(default_value)))


@operation(tensors="x")
def squareplus(x: Any, b: float = 4) -> Any:
    """(x + sqrt(x^2 + b)) / 2."""
    value = float_value(x)
    return wrap((value + build.sqrt(value * value + float(b))) * 0.5)

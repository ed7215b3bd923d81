"""Activation functions by name: `activations.get("relu")`, and their records in configurations."""

from __future__ import annotations

from typing import Any

from . import ops
from .identifiers import deserialize_object, serialize_object, unknown_identifier
from .ops import (
    celu,
    elu,
    glu,
    hard_shrink,
    hard_sigmoid,
    hard_silu,
    hard_swish,
    hard_tanh,
    leaky_relu,
    log_sigmoid,
    log_softmax,
    mish,
    relu6,
    selu,
    sigmoid,
    silu,
    soft_shrink,
    softmax,
    softplus,
    softsign,
    sparse_plus,
    sparse_sigmoid,
    squareplus,
    swish,
    tanh,
    tanh_shrink,
    threshold,
)
from .suggest import suggest_names
from .tracing import operation

__all__ = [
    "celu", "deserialize", "elu", "exponential", "gelu", "get", "glu", "hard_shrink", "hard_sigmoid", "hard_silu", "hard_swish",
    "hard_tanh", "leaky_relu", "linear", "log_sigmoid", "log_softmax", "mish", "relu", "relu6", "selu", "serialize", "sigmoid", "silu",
    "soft_shrink", "softmax", "softplus", "softsign", "sparse_plus", "sparse_sigmoid", "sparsemax", "squareplus", "swish", "tanh",
    "tanh_shrink", "threshold",
]


@operation(tensors="x")
def relu(x: Any, negative_slope: float = 0.0, max_value: float | None = None, threshold: float = 0.0) -> Any:
    """max(x, 0); or negative_slope * (x - threshold) below a threshold, and at most max_value."""
    if negative_slope == 0.0 and threshold == 0.0:
        if max_value is None:
            return ops.relu(x)
        if max_value == 6:
            return ops.relu6(x)
        return ops.minimum(ops.relu(x), max_value)
    above = ops.where(ops.greater(x, threshold), x, 0.0) if threshold != 0.0 else ops.relu(x)
    if max_value is not None:
        above = ops.minimum(above, max_value)
    if negative_slope == 0.0:
        return above
    # not a product of masks: an infinite x would give NaN
    return ops.where(ops.less(x, threshold), negative_slope * (x - threshold), above)


@operation(tensors="x")
def gelu(x: Any, approximate: bool = False) -> Any:
    """x * P(X <= x) of a standard normal X; `approximate` uses the tanh form."""
    return ops.gelu(x, approximate=approximate)


def linear(x: Any) -> Any:
    """x itself."""
    return x


def exponential(x: Any) -> Any:
    """e to the x."""
    return ops.exp(x)


@operation(tensors="x")
def sparsemax(x: Any, axis: int = -1) -> Any:
    """The closest point of the probability simplex: like softmax, with exact zeros."""
    return ops.sparsemax(x, axis=axis)


_FUNCTIONS: dict[str, Any] = {
    function.__name__: function
    for function in (
        celu, elu, exponential, gelu, glu, hard_shrink, hard_sigmoid, hard_silu, hard_tanh, leaky_relu, linear, log_sigmoid, log_softmax,
        mish, relu, relu6, selu, sigmoid, silu, soft_shrink, softmax, softplus, softsign, sparse_plus, sparse_sigmoid, sparsemax,
        squareplus, tanh, tanh_shrink, threshold,
    )
}
_KNOWN: dict[str, Any] = {**_FUNCTIONS, "swish": silu, "hard_swish": hard_swish}


def get(identifier: Any) -> Any:
    """An activation function from a name, a record, a function, or None (linear). Raises ValueError."""
    if identifier is None:
        return linear
    if isinstance(identifier, (str, dict)):
        identifier = deserialize(identifier)
    if callable(identifier):
        return identifier
    raise unknown_identifier("activation", identifier, _KNOWN)


def serialize(activation: Any) -> Any:
    """The record of an activation: the name of one of these, else what the object says of itself."""
    name = getattr(activation, "__name__", None)
    if name in _KNOWN and (_KNOWN[name] is activation or getattr(ops, name, None) is activation):
        return _KNOWN[name].__name__
    return serialize_object(activation, "keras.activations", {})


def deserialize(config: Any, custom_objects: dict[str, Any] | None = None) -> Any:
    """The activation of a record or name. Raises ValueError for an unknown one."""
    if isinstance(config, dict) and config.get("class_name") == "function":
        config = config.get("config")
    if isinstance(config, dict) and config.get("class_name") not in _KNOWN and not custom_objects:
        from . import layers

        custom_objects = {name: getattr(layers, name) for name in ("ReLU", "LeakyReLU", "Softmax", "ELU", "PReLU") if hasattr(layers, name)}
    return deserialize_object(config, "activation", _KNOWN, custom_objects)


suggest_names(__name__)

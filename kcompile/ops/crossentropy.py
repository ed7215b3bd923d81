"""Cross-entropies, from logits or from probabilities, as Keras computes them on TensorFlow.

A prediction that remembers its logits (`_keras_logits`, set by softmax and sigmoid) is computed from them even where
from_logits=False; other probabilities are normalised and clipped to [epsilon, 1 - epsilon].
"""

from __future__ import annotations

from typing import Any

from ..config import epsilon
from ..ir import build
from ..ir.graph import Value
from ..ir.types import i32
from ..tracing import operation
from ._support import as_value, cast_value, float_value, normalized_axis, wrap
from .activation import log_softmax_value
from .shapes import moveaxis

__all__ = [
    "binary_crossentropy", "categorical_crossentropy", "in_top_k", "sparse_categorical_crossentropy",
]


def _logits_of(output: Any, from_logits: bool) -> tuple[Any, bool]:
    """(what to compute from, whether that is logits)."""
    remembered = getattr(output, "_keras_logits", None)
    return (output, from_logits) if remembered is None or from_logits else (remembered, True)


def _clipped(x: Value) -> Value:
    return build.minimum(build.maximum(x, epsilon()), 1 - epsilon())


def _check(name: str, target: Value, output: Value) -> None:
    if target.rank != output.rank:
        raise ValueError(f"Arguments `target` and `output` must have the same rank (ndim). {name} received: "
                         f"target.shape={target.shape}, output.shape={output.shape}")
    for a, b in zip(target.shape, output.shape, strict=True):
        if a != b:
            raise ValueError(f"Arguments `target` and `output` must have the same shape. {name} received: "
                             f"target.shape={target.shape}, output.shape={output.shape}")


@operation(tensors="target output", remembers=True)
def categorical_crossentropy(target: Any, output: Any, from_logits: bool = False, axis: int = -1) -> Any:
    """-sum(target * log(output)) along an axis, which leaves the shape."""
    source, logits = _logits_of(output, from_logits)
    value = float_value(source)
    truth = as_value(target, wrap(value).dtype)
    if value.rank < 1:
        raise ValueError("Arguments `target` and `output` must be at least rank 1.")
    _check("categorical_crossentropy", truth, value)
    place = normalized_axis(axis, value.rank, "categorical_crossentropy")
    if logits:
        return wrap(-build.reduce_sum(truth * log_softmax_value(value, (place,)), (place,)))
    value = value / build.expand_reduced(build.reduce_sum(value, (place,)), value.shape, (place,))
    return wrap(-build.reduce_sum(truth * build.log(_clipped(value)), (place,)))


@operation(tensors="target output", remembers=True)
def sparse_categorical_crossentropy(target: Any, output: Any, from_logits: bool = False, axis: int = -1) -> Any:
    """-log(output[.., target, ..]) with integer targets; they have the shape of the output without the axis (or with size 1)."""
    source, logits = _logits_of(output, from_logits)
    value = float_value(source)
    place = normalized_axis(axis, value.rank, "sparse_categorical_crossentropy")
    value = moveaxis(wrap(value), place, -1).value
    truth = as_value(target)
    if not truth.dtype.is_integer:
        truth = cast_value(truth, i32)
    if truth.rank == value.rank and truth.shape[-1] == 1:
        truth = build.reshape(truth, truth.shape[:-1])
    if value.rank < 1 or truth.shape != value.shape[:-1]:
        raise ValueError("Arguments `target` and `output` must have the same shape up until the last dimension: "
                         f"target.shape={truth.shape}, output.shape={value.shape}")
    if not logits:
        value = build.log(_clipped(value))  # TensorFlow normalises the result once more, as logits
    positions = build.iota(value.graph, value.shape, value.rank - 1, truth.dtype)
    hit = build.eq(build.broadcast(truth, value.shape, range(truth.rank)), positions)
    # shifted by the maximum first, so that the picked logit and the sum cancel exactly where one class dominates
    highest = build.stop_gradient(build.reduce_max(value, (value.rank - 1,)))
    shifted = value - build.expand_reduced(highest, value.shape, (value.rank - 1,))
    picked = build.reduce_sum(build.select(hit, shifted, 0.0), (value.rank - 1,))
    total = build.log(build.reduce_sum(build.exp(shifted), (value.rank - 1,)))
    return wrap(total - picked)


@operation(tensors="target output", remembers=True)
def binary_crossentropy(target: Any, output: Any, from_logits: bool = False) -> Any:
    """-(target * log(output) + (1 - target) * log(1 - output)), element by element."""
    source, logits = _logits_of(output, from_logits)
    value = float_value(source)
    truth = as_value(target, wrap(value).dtype)
    _check("binary_crossentropy", truth, value)
    if logits:
        positive = build.ge(value, 0.0)
        shrunk = build.log1p(build.exp(build.select(positive, -value, value)))
        return wrap(build.select(positive, value, 0.0) - value * truth + shrunk)
    clipped = _clipped(value)
    return wrap(-(truth * build.log(clipped) + (1 - truth) * build.log(1 - clipped)))


@operation(tensors="targets predictions")
def in_top_k(targets: Any, predictions: Any, k: int) -> Any:
    """Whether fewer than k classes have a larger prediction than the target class; false where that is not finite."""
    truth, value = as_value(targets), float_value(predictions)
    if not truth.dtype.is_integer:
        truth = cast_value(truth, i32)
    if truth.rank != 1 or value.rank != 2:
        raise ValueError(f"in_top_k: expected targets of rank 1 and predictions of rank 2, received {truth.shape} and {value.shape}")
    positions = build.iota(value.graph, value.shape, 1, truth.dtype)
    hit = build.eq(build.broadcast(truth, value.shape, (0,)), positions)
    own = build.reduce_sum(build.select(hit, value, 0.0), (1,))
    above = build.gt(value, build.broadcast(own, value.shape, (0,)))
    better = build.reduce_sum(cast_value(above, i32), (1,))
    known = build.reduce_sum(cast_value(hit, i32), (1,))
    return wrap(build.logical_and(build.logical_and(build.lt(better, k), build.is_finite(own)), build.eq(known, 1)))

"""Normalizations, and attention by dot products."""

from __future__ import annotations

import math
from typing import Any

from ..config import epsilon as config_epsilon
from ..dtypes import result_type
from ..ir import build
from ..ir.graph import Value
from ..ir.types import f32, i32
from ..tracing import operation
from ._support import Axis, as_value, cast_value, common_shape, float_value, kind, normalized_axes, normalized_axis, splat, wrap
from .activation import softmax_value
from .contraction import matmul_value
from .reductions import mean_value, variance_value

__all__ = [
    "batch_normalization", "dot_product_attention", "layer_normalization", "normalize", "rms_normalization",
]


def _along(vector: Value, shape: Any, axis: int, name: str, what: str) -> Value:
    """A vector of the size of one axis, repeated over the others."""
    if vector.rank != 1 or vector.shape[0] != shape[axis]:
        raise ValueError(f"{name}: `{what}` must be a vector of {shape[axis]} elements, received shape {vector.shape}")
    return build.broadcast(vector, shape, (axis,))


@operation(tensors="x mean variance offset scale")
def batch_normalization(x: Any, mean: Any, variance: Any, axis: int, offset: Any = None, scale: Any = None, epsilon: float = 1e-3) -> Any:
    """scale * (x - mean) / sqrt(variance + epsilon) + offset, with vectors along one axis."""
    dtype = result_type(kind(x), kind(mean), float) if not as_value(x).dtype.is_float else wrap(as_value(x)).dtype
    value = as_value(x, dtype)
    place = normalized_axis(axis, value.rank, "batch_normalization")
    middle, spread = as_value(mean, dtype), as_value(variance, dtype)
    factor = build.rsqrt(spread + float(epsilon))
    if scale is not None:
        factor = factor * as_value(scale, dtype)
    shift = -(middle * factor)
    if offset is not None:
        shift = as_value(offset, dtype) + shift
    grown = value * _along(factor, value.shape, place, "batch_normalization", "variance")
    return wrap(grown + _along(shift, value.shape, place, "batch_normalization", "mean"))


def _parameter(parameter: Any, value: Value, axes: tuple[int, ...], name: str) -> Value:
    """gamma or beta at the shape of the value: they have the sizes of the normalised axes."""
    given = as_value(parameter, wrap(value).dtype)
    sizes = tuple(value.shape[a] for a in axes)
    if given.shape == sizes:
        return build.broadcast(given, value.shape, axes)
    return splat(given, common_shape(name, [value.shape, given.shape]))


@operation(tensors="x gamma beta")
def layer_normalization(x: Any, gamma: Any = None, beta: Any = None, axis: Axis = -1, epsilon: float | None = None, **kwargs: Any) -> Any:
    """gamma * (x - mean) / sqrt(variance + epsilon) + beta, with moments over the axes of each sample.

    float16 and bfloat16 are computed in float32.
    """
    if kwargs.pop("rms_scaling", False):
        return rms_normalization(x, gamma, axis, epsilon)
    if kwargs:
        raise TypeError(f"layer_normalization: unexpected arguments {sorted(kwargs)}")
    original = float_value(x)
    axes = normalized_axes(axis, original.rank, "layer_normalization")
    value = cast_value(original, f32) if original.dtype.size < 4 else original
    small = config_epsilon() if epsilon is None else float(epsilon)
    mean, variance = mean_value(value, axes), variance_value(value, axes)
    factor = build.expand_reduced(build.rsqrt(variance + small), value.shape, axes)
    if gamma is not None:
        factor = factor * _parameter(gamma, value, axes, "layer_normalization")
    shift = -(build.expand_reduced(mean, value.shape, axes) * factor)
    if beta is not None:
        shift = shift + _parameter(beta, value, axes, "layer_normalization")
    return wrap(cast_value(value * factor + shift, original.dtype))


@operation(tensors="x scale")
def rms_normalization(x: Any, scale: Any = None, axis: Axis = -1, epsilon: float | None = None) -> Any:
    """scale * x / sqrt(mean(x^2) + epsilon) over the axes."""
    original = float_value(x)
    axes = normalized_axes(axis, original.rank, "rms_normalization")
    value = cast_value(original, f32) if original.dtype.size < 4 else original
    small = config_epsilon() if epsilon is None else float(epsilon)
    factor = build.rsqrt(mean_value(value * value, axes) + small)
    result = value * build.expand_reduced(factor, value.shape, axes)
    if scale is not None:
        result = result * _parameter(scale, value, axes, "rms_normalization")
    return wrap(cast_value(result, original.dtype))


@operation(tensors="x")
def normalize(x: Any, axis: Axis = -1, order: Any = 2, epsilon: float | None = None) -> Any:
    """x divided by its norm of some order along an axis; the norm is at least epsilon."""
    if not isinstance(order, int) or order < 1:
        raise ValueError(f"Argument `order` must be an int >= 1. Received: order={order}")
    value = float_value(x)
    axes = normalized_axes(axis, value.rank, "normalize")
    small = config_epsilon() if epsilon is None else float(epsilon)
    if order == 2:
        total = build.reduce_sum(value * value, axes)
        factor = build.rsqrt(build.maximum(total, small * small))
        return wrap(value * build.expand_reduced(factor, value.shape, axes))
    total = build.reduce_sum(build.pow(build.abs(value), build.full_like(value, float(order))), axes)
    norm = build.maximum(build.pow(total, build.full_like(total, 1.0 / order)), small)
    return wrap(value / build.expand_reduced(norm, value.shape, axes))


@operation(tensors="query key value bias mask")
def dot_product_attention(query: Any, key: Any, value: Any, bias: Any = None, mask: Any = None, scale: float | None = None,
                          is_causal: bool = False, flash_attention: bool | None = None, attn_logits_soft_cap: float | None = None) -> Any:
    """softmax(query key^T * scale + bias) value; query [N, T, heads, d], key and value [N, S, heads or fewer, d]."""
    dtype = result_type(kind(query), kind(key), kind(value), float)
    q, k, v = (as_value(t, dtype) for t in (query, key, value))
    if not q.rank == k.rank == v.rank == 4:
        raise ValueError(f"dot_product_attention: query, key and value must have rank 4, received {q.shape}, {k.shape}, {v.shape}")
    k, v = (_shared_heads(t, q) for t in (k, v))
    q, k, v = (build.transpose(t, (0, 2, 1, 3)) for t in (q, k, v))
    factor = 1 / math.sqrt(int(q.shape[-1])) if scale is None else float(scale)  # type: ignore[arg-type]
    scores = matmul_value(q, build.transpose(k, (0, 1, 3, 2))) * factor
    work = cast_value(scores, f32) if scores.dtype.size < 4 else scores
    if attn_logits_soft_cap is not None:
        work = build.tanh(work / float(attn_logits_soft_cap)) * float(attn_logits_soft_cap)
    if bias is not None:
        given = as_value(bias, wrap(work).dtype)
        work = work + splat(given, common_shape("dot_product_attention", [work.shape, given.shape]))
    allowed = None if mask is None else splat(as_value(mask, "bool"), work.shape)
    if is_causal:
        rows, columns = (build.iota(work.graph, work.shape, n, i32) for n in (2, 3))
        lower = build.ge(rows, columns)
        allowed = lower if allowed is None else build.logical_and(allowed, lower)
    if allowed is not None:
        work = build.select(allowed, work, -0.7 * float(wrap(work).dtype.max))
    weights = cast_value(softmax_value(work, (3,)), v.dtype)
    return wrap(build.transpose(matmul_value(weights, v), (0, 2, 1, 3)))


def _shared_heads(t: Value, q: Value) -> Value:
    """Key or value heads repeated for the groups of query heads that share one."""
    if t.shape[2] == q.shape[2]:
        return t
    heads, groups = int(t.shape[2]), int(q.shape[2]) // int(t.shape[2])  # type: ignore[arg-type]
    if heads * groups != q.shape[2]:
        raise ValueError(f"dot_product_attention: {q.shape[2]} query heads do not divide among {heads} key heads")
    spread = build.broadcast(t, (t.shape[0], t.shape[1], heads, groups, t.shape[3]), (0, 1, 2, 4))
    return build.reshape(spread, (t.shape[0], t.shape[1], heads * groups, t.shape[3]))

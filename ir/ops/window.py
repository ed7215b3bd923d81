"""Sums and maxima over windows (pooling) and their adjoints. x [N, spatial.., C], no padding."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .. import build
from ..graph import Value
from ..op import Attrs, Op, register
from ..types import Shape, TensorType, boolean
from . import check
from .family import Array, Cotangents, Types, of, widened
from .spatial import positions, spatial_of, strided, window_count
from .window_kernels import forward_kernels, max_grad_kernels, sum_grad_kernels

Values = tuple[Value, ...]
Cts = tuple["Value | None", ...]


def _spatial_count(op: str, types: Types, attrs: Attrs) -> int:
    check.element_type(op, types[0], check.NUMBERS)
    check.same_dtype(op, types)
    count = types[0].rank - 2
    if count < 1:
        check.reject(op, "an operand [N, spatial.., C] of rank at least 3", types[0])
    check.positive(op, "window extents", attrs["window"], count)
    check.positive(op, "strides", attrs["strides"], count)
    return count


def _pooled(op: str, shape: Shape, attrs: Attrs) -> Shape:
    counts = (window_count(op, n, k, s) for n, k, s in zip(spatial_of(shape), attrs["window"], attrs["strides"], strict=True))
    return (shape[0], *counts, shape[-1])


def _views(x: Array, window: tuple[int, ...], strides: tuple[int, ...]) -> list[Array]:
    """For every position in a window the elements of x there, one a window."""
    counts = [(n - k) // s + 1 for n, k, s in zip(x.shape[1:-1], window, strides, strict=True)]
    return [x[strided(position, strides, (1,) * len(window), counts)] for position in positions(window)]


# -- window_sum, window_max -------------------------------------------------------------------------------------
_CASES: tuple[tuple[str, tuple[int, ...], tuple[int, ...]], ...] = (
    ("f32[B, 6, 8, 17]", (2, 2), (2, 2)), ("f32[B, 5, 7, 16]", (2, 2), (2, 2)), ("f32[B, 5, 6, 3]", (3, 3), (1, 1)),
    ("f32[B, 7, 8, 15]", (3, 3), (2, 2)), ("f32[B, 7, 5, 1]", (2, 1), (3, 2)), ("f64[B, 9, 4]", (3,), (2,)),
    ("f32[B, 4, 4, 5]", (4, 4), (4, 4)),
    ("f32[B, 4, 5, 4, 2]", (2, 2, 2), (2, 1, 2)), ("f16[B, 4, 4, 16]", (2, 2), (2, 2)), ("bf16[B, 5, 5, 3]", (3, 3), (2, 2)),
    ("f32[B, 11, 5, 3]", (5, 4), (5, 4)),
)


def _forward(name: str, doc: str, op: str, combine: Callable[..., Any], vjp: Callable[[Value, Value, Value, Attrs], Value]) -> Op:
    def infer(types: Types, attrs: Attrs) -> Types:
        check.arity(name, types, 1)
        _spatial_count(name, types, attrs)
        return (types[0].with_shape(_pooled(name, types[0].shape, attrs)),)

    def reference(x: Array, window: tuple[int, ...], strides: tuple[int, ...]) -> Array:
        first, *others = _views(widened(x), window, strides)
        total = np.array(first)
        with np.errstate(all="ignore"):
            for view in others:
                combine(total, view, out=total)
        return total.astype(x.dtype, copy=False)

    def gradient(cts: Cts, inputs: Values, outputs: Values, attrs: Attrs) -> Cotangents:
        if cts[0] is None or not inputs[0].dtype.is_float:
            return [None]
        return [vjp(cts[0], inputs[0], outputs[0], attrs)]

    samples = tuple(of(text, attrs={"window": window, "strides": strides}, nan_every=11 if op == "max" and n in (1, 3) else 0)
                    for n, (text, window, strides) in enumerate(_CASES))
    return register(Op(name=name, doc=doc, infer=infer, reference=reference, vjp=gradient, samples=samples,
                       kernel=lambda inputs, outputs, attrs: forward_kernels(name, op, inputs, outputs, attrs)))


window_sum = _forward("window_sum", "The sum over every window; f16 and bf16 accumulate in f32.", "add", np.add,
                      lambda ct, x, y, attrs: build.window_sum_grad(ct, spatial_of(x.shape), attrs["window"], attrs["strides"]))

window_max = _forward("window_max", "The largest element of every window; NaN if there is one.", "max", np.maximum,
                      lambda ct, x, y, attrs: build.window_max_grad(x, y, ct, attrs["window"], attrs["strides"]))


def _sample_types(text: str, window: tuple[int, ...], strides: tuple[int, ...]) -> tuple[TensorType, TensorType, dict[str, Any]]:
    (x,) = of(text).inputs
    attrs = {"window": window, "strides": strides}
    return x, x.with_shape(_pooled("window", x.shape, attrs)), attrs


# -- window_sum_grad --------------------------------------------------------------------------------------------
def _sum_grad_infer(types: Types, attrs: Attrs) -> Types:
    op = "window_sum_grad"
    check.arity(op, types, 1)
    count = _spatial_count(op, types, attrs)
    (dy,) = types
    spatial = check.extents(op, attrs["input_spatial"])
    if len(spatial) != count:
        check.reject(op, f"{count} input extents", spatial)
    expected = _pooled(op, (dy.shape[0], *spatial, dy.shape[-1]), attrs)
    if dy.shape != expected:
        check.reject(op, f"dy of shape {list(expected)} for input extents {list(spatial)}", dy)
    return (dy.with_shape((dy.shape[0], *spatial, dy.shape[-1])),)


def _sum_grad_reference(dy: Array, input_spatial: tuple[int, ...], window: tuple[int, ...], strides: tuple[int, ...]) -> Array:
    ct = widened(dy)
    dx = np.zeros((dy.shape[0], *input_spatial, dy.shape[-1]), ct.dtype)
    for view in _views(dx, window, strides):
        view += ct
    return dx.astype(dy.dtype, copy=False)


def _sum_grad_vjp(cts: Cts, inputs: Values, outputs: Values, attrs: Attrs) -> Cotangents:
    if cts[0] is None or not inputs[0].dtype.is_float:
        return [None]
    return [build.window_sum(cts[0], attrs["window"], attrs["strides"])]


window_sum_grad = register(Op(
    name="window_sum_grad",
    doc="The adjoint of window_sum: each element of dx is the sum of dy over the windows that it lies in.",
    infer=_sum_grad_infer,
    reference=_sum_grad_reference,
    vjp=_sum_grad_vjp,
    kernel=sum_grad_kernels,
    samples=tuple(of(str(y), attrs={"input_spatial": spatial_of(x.shape), **attrs})
                  for x, y, attrs in (_sample_types(*case) for case in _CASES)),
))


# -- window_max_grad --------------------------------------------------------------------------------------------
def _max_grad_infer(types: Types, attrs: Attrs) -> Types:
    op = "window_max_grad"
    check.arity(op, types, 3)
    _spatial_count(op, types, attrs)
    x, y, dy = types
    check.same_type(op, (y, dy))
    expected = _pooled(op, x.shape, attrs)
    if y.shape != expected:
        check.reject(op, f"y of shape {list(expected)} for {x}", y)
    return (x,)


def _first_maxima(x: Array, y: Array, window: tuple[int, ...], strides: tuple[int, ...]) -> list[Array]:
    """For every position in a window: whether it is the first that holds the window's maximum (or its first NaN)."""
    taken = np.zeros(y.shape, bool)
    masks = []
    for view in _views(x, window, strides):
        hit = ((view == y) | np.isnan(view)) & ~taken
        taken |= hit
        masks.append(hit)
    return masks


def _max_grad_reference(x: Array, y: Array, dy: Array, window: tuple[int, ...], strides: tuple[int, ...]) -> Array:
    ct = widened(dy)
    dx = np.zeros(x.shape, ct.dtype)
    masks = _first_maxima(widened(x), widened(y), window, strides)
    for view, mask in zip(_views(dx, window, strides), masks, strict=True):
        view += np.where(mask, ct, 0)
    return dx.astype(x.dtype, copy=False)


def _max_grad_vjp(cts: Cts, inputs: Values, outputs: Values, attrs: Attrs) -> Cotangents:
    """Linear in dy: the cotangent is read back where the maxima are. x and y only say where that is."""
    (ct,), (x, y, dy) = cts, inputs
    if ct is None or not dy.dtype.is_float:
        return [None, None, None]
    total = build.zeros_like(dy)
    taken = build.constant(dy.graph, False, _truth(dy))
    for position in positions(attrs["window"]):
        seen, back = (_at(value, position, attrs, y.shape) for value in (x, ct))
        hit = build.logical_and(build.logical_or(build.eq(seen, y), build.is_nan(seen)), build.logical_not(taken))
        total = build.select(hit, back, total)
        taken = build.logical_or(taken, hit)
    return [None, None, total]


def _truth(value: Value) -> TensorType:
    return value.type.with_dtype(boolean)


def _at(value: Value, position: Sequence[int], attrs: Attrs, pooled: Shape) -> Value:
    """The elements of `value` at one position of every window."""
    stops = [p + (n - 1) * s + 1 for p, n, s in zip(position, spatial_of(pooled), attrs["strides"], strict=True)]
    return build.slice(value, (0, *position, 0), (pooled[0], *stops, pooled[-1]), (1, *attrs["strides"], 1))


window_max_grad = register(Op(
    name="window_max_grad",
    doc="The adjoint of window_max, with y = window_max(x): of every window the first maximum, or the first NaN, gets dy.",
    infer=_max_grad_infer,
    reference=_max_grad_reference,
    vjp=_max_grad_vjp,
    kernel=max_grad_kernels,
    samples=tuple(of(str(x), str(y), str(y), attrs=attrs, nan_every=13 if n in (1, 3) else 0)
                  for n, (x, y, attrs) in enumerate(_sample_types(*case) for case in _CASES)),
))

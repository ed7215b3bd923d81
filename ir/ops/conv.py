"""Convolution and its two adjoints, closed under differentiation.

x [N, spatial.., C], w [spatial.., C/groups, O], y [N, spatial.., O]; no padding: an explicit `pad` precedes it, and `border` says
where it wrote zeros, which need not be read. Output channels are ordered group by group.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import build
from ..graph import Value
from ..op import Attrs, Op, register
from ..types import Shape, TensorType
from . import check
from .conv_kernels import filter_grad_kernels, forward_kernels, input_grad_kernels
from .family import Array, Cotangents, Types, of, widened
from .spatial import positions, spatial_of, strided, window_count

Values = tuple[Value, ...]
Cts = tuple["Value | None", ...]
Padding = tuple[tuple[int, int], ...]


def _operands(op: str, types: Types, attrs: Attrs) -> int:
    """Checks what the three ops share; the number of spatial axes."""
    check.arity(op, types, 2)
    check.element_type(op, types[0], check.NUMBERS)
    check.same_dtype(op, types)
    count = types[0].rank - 2
    if count < 1 or types[1].rank != types[0].rank:
        check.reject(op, "operands [N, spatial.., C] and one of the same rank, at least 3", f"{types[0]} and {types[1]}")
    check.positive(op, "strides", attrs["strides"], count)
    check.positive(op, "dilation rates", attrs["dilation"], count)
    check.positive(op, "number of groups", (attrs["groups"],), 1)
    return count


def _filter_type(op: str, w: TensorType, groups: int) -> None:
    if not check.known(*w.shape):
        check.reject(op, "a filter of known shape", w)
    if int(w.shape[-1]) % groups:  # type: ignore[arg-type]
        check.reject(op, f"a number of output channels divisible by groups={groups}", w)


def _counts(op: str, extents: Shape, window: Shape, attrs: Attrs) -> Shape:
    return tuple(window_count(op, n, k, s, d) for n, k, s, d  # type: ignore[arg-type]
                 in zip(extents, window, attrs["strides"], attrs["dilation"], strict=True))


def _check_pairs(op: str, name: str, pairs: Padding, count: int) -> None:
    if pairs and (len(pairs) != count or any(low < 0 or high < 0 for low, high in pairs)):
        check.reject(op, f"no {name}, or {count} pairs of numbers that are not negative", pairs)


def _without_border(x: Array, border: Padding) -> Array:
    """x with zeros in its border."""
    if not border:
        return x
    inside = (slice(None), *(slice(low, n - high) for n, (low, high) in zip(x.shape[1:-1], border, strict=True)))
    kept = np.zeros_like(x)
    kept[inside] = x[inside]
    return kept


def _geometry(attrs: Attrs) -> dict[str, Any]:
    return {"strides": attrs["strides"], "dilation": attrs["dilation"], "groups": attrs["groups"]}


# -- conv -------------------------------------------------------------------------------------------------------
def _conv_infer(types: Types, attrs: Attrs) -> Types:
    _operands("conv", types, attrs)
    x, w = types
    _filter_type("conv", w, attrs["groups"])
    _check_pairs("conv", "border", attrs["border"], x.rank - 2)
    if x.shape[-1] != w.shape[-2] * attrs["groups"]:
        check.reject("conv", f"{w.shape[-2] * attrs['groups']} input channels for filter {w} with groups={attrs['groups']}", x)
    return (x.with_shape((x.shape[0], *_counts("conv", spatial_of(x.shape), w.shape[:-2], attrs), w.shape[-1])),)


def _taps(w: Array, groups: int) -> Array:
    """[spatial.., C/groups, O] -> [spatial.., groups, C/groups, O/groups]."""
    *window, inner, outer = w.shape
    return np.moveaxis(w.reshape(*window, inner, groups, outer // groups), -2, -3)


def _grouped(x: Array, groups: int) -> Array:
    """[N, spatial.., C] -> [groups, N * spatial, C / groups]."""
    rows = int(np.prod(x.shape[:-1], dtype=np.int64))
    return np.moveaxis(x.reshape(rows, groups, x.shape[-1] // groups), 1, 0)


def _ungrouped(x: Array, shape: Sequence[int]) -> Array:
    return np.moveaxis(x, 0, 1).reshape(*shape, x.shape[0] * x.shape[2])


def _product(a: Array, b: Array) -> Array:
    """Products of matrices. Of one term, as each group of a depthwise convolution has, they need no sum: ten times faster."""
    return a * b if a.shape[-1] == 1 else np.matmul(a, b)


def _conv_reference(x: Array, w: Array, strides: tuple[int, ...], dilation: tuple[int, ...], groups: int, border: Padding) -> Array:
    """A sum over the positions of the kernel, each a product of matrices."""
    a, taps = widened(_without_border(x, border)), _taps(widened(w), groups)
    window = w.shape[:-2]
    counts = [(n - (k - 1) * d - 1) // s + 1 for n, k, s, d in zip(x.shape[1:-1], window, strides, dilation, strict=True)]
    total: Array | None = None
    with np.errstate(all="ignore"):
        for position in positions(window):
            part = _product(_grouped(a[strided(position, strides, dilation, counts)], groups), taps[position])
            total = part if total is None else np.add(total, part, out=total)
    assert total is not None
    return _ungrouped(total, (x.shape[0], *counts)).astype(x.dtype, copy=False)


def _conv_vjp(cts: Cts, inputs: Values, outputs: Values, attrs: Attrs) -> Cotangents:
    (ct,), (x, w) = cts, inputs
    if ct is None or not x.dtype.is_float:
        return [None, None]
    border = attrs["border"]
    dx = build.conv_input_grad(ct, w, _unpadded(x.type, border), padding=border, **_geometry(attrs))
    return [_padded_with_zeros(dx, border),
            build.conv_filter_grad(x, ct, w.shape[:-2], border=border, **_geometry(attrs))]  # type: ignore[arg-type]


def _padded_with_zeros(x: Value, border: Padding) -> Value:
    if not border:
        return x
    low, high = zip((0, 0), *border, (0, 0), strict=True)
    return build.pad(x, low, high)


def _unpadded(x: TensorType, padding: Padding) -> Shape:
    """The extents within the padding."""
    return tuple(n - low - high for n, (low, high) in zip(spatial_of(x.shape), padding, strict=True)) if padding else spatial_of(x.shape)


# The geometries that all three ops are tried with: x, kernel, strides, dilation, groups, output channels
_CASES = (
    ("f32[B, 6, 7, 3]", (3, 3), (1, 1), (1, 1), 1, 17), ("f32[B, 5, 5, 1]", (3, 3), (1, 1), (1, 1), 1, 16),
    ("f32[B, 8, 7, 16]", (3, 3), (2, 2), (1, 1), 1, 5), ("f32[B, 4, 5, 15]", (1, 1), (1, 1), (1, 1), 1, 17),
    ("f32[B, 5, 4, 3]", (1, 1), (2, 2), (1, 1), 1, 4), ("f32[B, 9, 8, 2]", (3, 2), (1, 1), (2, 3), 1, 3),
    ("f32[B, 11, 9, 2]", (3, 3), (2, 3), (2, 2), 1, 3), ("f32[B, 5, 6, 17]", (3, 3), (1, 1), (1, 1), 17, 17),
    ("f32[B, 7, 6, 4]", (3, 2), (2, 1), (1, 1), 4, 8), ("f32[B, 5, 5, 6]", (3, 3), (1, 1), (1, 1), 2, 10),
    ("f32[B, 12, 16]", (5,), (1,), (1,), 1, 15), ("f64[B, 9, 3]", (2,), (3,), (1,), 1, 2),
    ("f32[B, 4, 5, 4, 2]", (2, 3, 2), (1, 2, 1), (1, 1, 1), 1, 3),
    ("f16[B, 5, 5, 3]", (3, 3), (1, 1), (1, 1), 1, 16), ("bf16[B, 6, 5, 4]", (2, 2), (2, 2), (1, 1), 1, 4),
)


def _sample_types(case: Any) -> tuple[TensorType, TensorType, TensorType, dict[str, Any]]:
    text, window, strides, dilation, groups, channels = case
    (x,) = of(text).inputs
    w = TensorType((*window, x.shape[-1] // groups, channels), x.dtype)
    attrs = {"strides": strides, "dilation": dilation, "groups": groups}
    y = x.with_shape((x.shape[0], *_counts("conv", spatial_of(x.shape), window, attrs), channels))
    return x, w, y, attrs


def _sample(inputs: Types, **attrs: Any) -> Any:
    return of(*map(str, inputs), attrs=attrs, low=-1.0, high=1.0)


_TYPES = [_sample_types(case) for case in _CASES]
_PADDED = list(zip((_TYPES[0], _TYPES[2], _TYPES[6], _TYPES[7], _TYPES[8], _TYPES[12]),
                   (((1, 1), (1, 1)), ((0, 1), (1, 1)), ((3, 0), (1, 2)), ((1, 1), (1, 1)), ((1, 0), (0, 2)), ((1, 0), (1, 1), (0, 1))),
                   strict=True))


conv = register(Op(
    name="conv",
    doc="The correlation of x with the filter w at every place where it fits; f16 and bf16 accumulate in f32. `border`: pairs of how many "
        "positions at each end of x's spatial axes are taken for zeros, whatever they hold; empty for none.",
    infer=_conv_infer,
    reference=_conv_reference,
    vjp=_conv_vjp,
    kernel=forward_kernels,
    samples=(*(_sample((x, w), border=(), **attrs) for x, w, y, attrs in _TYPES),
             *(_sample((x, w), border=border, **attrs) for (x, w, y, attrs), border in _PADDED)),
))


# -- conv_input_grad --------------------------------------------------------------------------------------------
def _input_grad_infer(types: Types, attrs: Attrs) -> Types:
    op = "conv_input_grad"
    count = _operands(op, types, attrs)
    dy, w = types
    _filter_type(op, w, attrs["groups"])
    spatial, padding = check.extents(op, attrs["input_spatial"]), attrs["padding"]
    if len(spatial) != count:
        check.reject(op, f"{count} input extents", spatial)
    _check_pairs(op, "padding", padding, count)
    expected = (dy.shape[0], *_counts(op, _padded(spatial, padding), w.shape[:-2], attrs), w.shape[-1])
    if dy.shape != expected:
        behind = f" behind padding {list(padding)}" if padding else ""
        check.reject(op, f"dy of shape {list(expected)} for input extents {list(spatial)}{behind} and filter {w}", dy)
    return (dy.with_shape((dy.shape[0], *spatial, w.shape[-2] * attrs["groups"])),)


def _padded(spatial: Shape, padding: Padding) -> Shape:
    """The extents that the convolution saw: with the padding that its input had."""
    return tuple(n + low + high for n, (low, high) in zip(spatial, padding, strict=True)) if padding else spatial


def _input_grad_reference(dy: Array, w: Array, input_spatial: tuple[int, ...], strides: tuple[int, ...], dilation: tuple[int, ...],
                          groups: int, padding: Padding) -> Array:
    ct, taps = _grouped(widened(dy), groups), np.swapaxes(_taps(widened(w), groups), -1, -2)
    counts = dy.shape[1:-1]
    dx = np.zeros((dy.shape[0], *_padded(input_spatial, padding), w.shape[-2] * groups), ct.dtype)
    with np.errstate(all="ignore"):
        for position in positions(w.shape[:-2]):
            dx[strided(position, strides, dilation, counts)] += _ungrouped(_product(ct, taps[position]), (dy.shape[0], *counts))
    inside = tuple(slice(low, low + n) for n, (low, _) in zip(input_spatial, padding, strict=True)) if padding else ()
    return np.ascontiguousarray(dx[(slice(None), *inside)]).astype(dy.dtype, copy=False)


def _input_grad_vjp(cts: Cts, inputs: Values, outputs: Values, attrs: Attrs) -> Cotangents:
    (ct,), (dy, w) = cts, inputs
    if ct is None or not dy.dtype.is_float:
        return [None, None]
    ct = _padded_with_zeros(ct, attrs["padding"])
    return [build.conv(ct, w, **_geometry(attrs)),
            build.conv_filter_grad(ct, dy, w.shape[:-2], **_geometry(attrs))]  # type: ignore[arg-type]


conv_input_grad = register(Op(
    name="conv_input_grad",
    doc="The adjoint of conv in x, which is also the transposed convolution: each element of dy adds the filter, times itself, to dx. "
        "`padding`: pairs of how far the conv's x reached beyond dx in each direction; empty for nowhere.",
    infer=_input_grad_infer,
    reference=_input_grad_reference,
    vjp=_input_grad_vjp,
    kernel=input_grad_kernels,
    samples=(*(_sample((y, w), input_spatial=spatial_of(x.shape), padding=(), **attrs) for x, w, y, attrs in _TYPES),
             *(_sample((y, w), input_spatial=_unpadded(x, padding), padding=padding, **attrs) for (x, w, y, attrs), padding in _PADDED)),
))


# -- conv_filter_grad -------------------------------------------------------------------------------------------
def _filter_grad_infer(types: Types, attrs: Attrs) -> Types:
    op = "conv_filter_grad"
    count = _operands(op, types, attrs)
    x, dy = types
    window, groups = check.positive(op, "kernel extents", attrs["kernel_spatial"], count), attrs["groups"]
    _check_pairs(op, "border", attrs["border"], count)
    if not check.known(x.shape[-1], dy.shape[-1]):
        check.reject(op, "known numbers of channels", f"{x} and {dy}")
    if x.shape[-1] % groups or dy.shape[-1] % groups:
        check.reject(op, f"numbers of channels divisible by groups={groups}", f"{x} and {dy}")
    expected = (x.shape[0], *_counts(op, spatial_of(x.shape), window, attrs))
    if dy.shape[:-1] != expected:
        check.reject(op, f"dy of shape {[*expected, dy.shape[-1]]} for {x} and kernel extents {list(window)}", dy)
    return (x.with_shape((*window, x.shape[-1] // groups, dy.shape[-1])),)


def _filter_grad_reference(x: Array, dy: Array, kernel_spatial: tuple[int, ...], strides: tuple[int, ...], dilation: tuple[int, ...],
                           groups: int, border: Padding) -> Array:
    a, ct = widened(_without_border(x, border)), _grouped(widened(dy), groups)
    counts = dy.shape[1:-1]
    inner, outer = x.shape[-1] // groups, dy.shape[-1]
    dw = np.empty((*kernel_spatial, inner, outer), a.dtype)
    with np.errstate(all="ignore"):
        for position in positions(kernel_spatial):
            rows = _grouped(a[strided(position, strides, dilation, counts)], groups)
            product = (rows * ct).sum(axis=1, keepdims=True) if inner == 1 else np.matmul(np.swapaxes(rows, 1, 2), ct)
            dw[position] = _ungrouped(product, (inner,))
    return dw.astype(x.dtype, copy=False)


def _filter_grad_vjp(cts: Cts, inputs: Values, outputs: Values, attrs: Attrs) -> Cotangents:
    (ct,), (x, dy) = cts, inputs
    if ct is None or not x.dtype.is_float:
        return [None, None]
    border = attrs["border"]
    dx = build.conv_input_grad(dy, ct, _unpadded(x.type, border), padding=border, **_geometry(attrs))
    return [_padded_with_zeros(dx, border), build.conv(x, ct, border=border, **_geometry(attrs))]


conv_filter_grad = register(Op(
    name="conv_filter_grad",
    doc="The adjoint of conv in w: for every position of the kernel the products of x there with dy, summed over N and the output.",
    infer=_filter_grad_infer,
    reference=_filter_grad_reference,
    vjp=_filter_grad_vjp,
    kernel=filter_grad_kernels,
    samples=(*(_sample((x, y), kernel_spatial=w.shape[:-2], border=(), **attrs) for x, w, y, attrs in _TYPES),
             *(_sample((x, y), kernel_spatial=w.shape[:-2], border=border, **attrs) for (x, w, y, attrs), border in _PADDED)),
))

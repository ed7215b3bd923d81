"""Typed builder functions, one for each primitive, and the few compositions that gradients share.

Every function makes nodes in the graph of its operands (sources take the graph) and returns the result's Value. Nothing
is broadcast or promoted, but a Python number beside a Value becomes a splat constant of the Value's type. Misuse is a
TypeError that names the op, what it expected and what it was given.

    >>> graph = Graph("example")
    >>> x = param(graph, "x", parse_type("f32[B, 3]"))
    >>> (1 - x * x).type
    f32[B, 3]
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any, Union

import numpy as np

from .graph import Graph, Value
from .op import OPS
from .types import Dim, DimLike, DType, Shape, TensorType, i64, parse_type

Number = Union[int, float, bool]
Operand = Union[Value, int, float, bool]
Axes = Sequence[int]

__all__ = ["parse_type"]  # for the doctest above; the functions are used as build.<name>


def make(name: str, *inputs: Value, **attrs: Any) -> Value:
    """Add a node of the named primitive to the operands' graph; for ops with one output."""
    (value,) = inputs[0].graph.add(OPS[name], inputs, attrs)
    return value


def _ints(values: Sequence[DimLike] | DimLike) -> tuple[DimLike, ...]:
    items = (values,) if isinstance(values, (int, np.integer, Dim)) else tuple(values)
    return tuple(d if isinstance(d, Dim) else int(d) for d in items)


# -- sources ----------------------------------------------------------------------------------------------------
def param(graph: Graph, name: str, type: TensorType) -> Value:
    """A value the caller gives at each call; entered in graph.params."""
    (value,) = graph.add(OPS["param"], (), {"name": name, "type": type})
    graph.params[name] = value
    return value


def state(graph: Graph, path: str, role: str, type: TensorType) -> Value:
    """The value a state has when the call begins; entered in graph.states. `role` is one of ir.graph.ROLES."""
    (value,) = graph.add(OPS["state"], (), {"path": path, "role": role, "type": type})
    graph.states[path] = value
    return value


def constant(graph: Graph, value: Any, type: TensorType) -> Value:
    """A number splat to any shape, or a small dense array (an array or nested sequences of the type's shape)."""
    return graph.add(OPS["constant"], (), {"value": plain_constant(value, type), "type": type})[0]


def plain_constant(value: Any, type: TensorType) -> Any:
    """The attribute form of a constant: a Python number rounded to the element type, or nested tuples of them."""
    if value.__class__ in (float, int):
        return _plain_number(value, value.__class__ is int, math.copysign(1.0, value) if value == 0 else 1.0, type.dtype)
    return _plain_array(value, type)


@functools.lru_cache(maxsize=4096)
def _plain_number(value: float, whole: bool, sign: float, dtype: DType) -> Any:
    """What equal numbers are not equal in (an int and a float, 0.0 and -0.0) is part of the key."""
    return _plain_array(value, TensorType((), dtype))


def _plain_array(value: Any, type: TensorType) -> Any:
    with np.errstate(over="ignore"):
        array = np.asarray(value).astype(type.dtype.numpy)
    wide = array if type.dtype.name != "bf16" else array.astype(np.float32)
    return _tuples(wide.tolist())


def _tuples(value: Any) -> Any:
    return tuple(_tuples(v) for v in value) if isinstance(value, list) else value


def iota(graph: Graph, shape: Sequence[DimLike], axis: int, dtype: DType) -> Value:
    """Each element is its own position along `axis`."""
    return graph.add(OPS["iota"], (), {"shape": _ints(shape), "axis": int(axis), "dtype": dtype})[0]


def dim_size(graph: Graph, dim: DimLike, dtype: DType = i64) -> Value:
    """A scalar holding the extent of a (symbolic) dimension."""
    return graph.add(OPS["dim_size"], (), {"dim": dim, "dtype": dtype})[0]


def random_bits(key: Value, shape: Sequence[DimLike]) -> Value:
    """u32 bits, a function of key (u32[2]) and element number alone."""
    return make("random_bits", key, shape=_ints(shape))


# -- elementwise: one operand -----------------------------------------------------------------------------------
def _unary(name: str) -> Callable[[Value], Value]:
    def build(x: Value) -> Value:
        return make(name, x)
    build.__name__ = name
    build.__doc__ = f"The primitive {name}, element by element; shape and dtype as its operand (truth values: bool)."
    return build


neg, abs, sign = _unary("neg"), _unary("abs"), _unary("sign")
exp, expm1, log, log1p = _unary("exp"), _unary("expm1"), _unary("log"), _unary("log1p")
sqrt, rsqrt, tanh, sigmoid, erf = _unary("sqrt"), _unary("rsqrt"), _unary("tanh"), _unary("sigmoid"), _unary("erf")
sin, cos, floor, ceil, round = _unary("sin"), _unary("cos"), _unary("floor"), _unary("ceil"), _unary("round")
is_nan, is_finite, logical_not = _unary("is_nan"), _unary("is_finite"), _unary("logical_not")
stop_gradient = _unary("stop_gradient")


def cast(x: Value, dtype: DType) -> Value:
    """`x` in another element type; `x` itself when it has that type already."""
    return x if x.dtype == dtype else make("cast", x, dtype=dtype)


# -- elementwise: two and three operands ------------------------------------------------------------------------
def pair(name: str, a: Operand, b: Operand) -> tuple[Value, Value]:
    """Both operands as Values; a number takes the other's type. Raises TypeError when neither is a Value."""
    if isinstance(a, Value) and isinstance(b, Value):
        return a, b
    if isinstance(a, Value) and isinstance(b, (bool, int, float, np.generic)):
        return a, full_like(a, b)
    if isinstance(b, Value) and isinstance(a, (bool, int, float, np.generic)):
        return full_like(b, a), b
    raise TypeError(f"{name}: expected graph values or one value and a number, given {a!r} and {b!r}")


def _binary(name: str) -> Callable[[Operand, Operand], Value]:
    def build(a: Operand, b: Operand) -> Value:
        return make(name, *pair(name, a, b))
    build.__name__ = name
    build.__doc__ = f"The primitive {name} of two operands of one type, element by element."
    return build


add, sub, mul, div = _binary("add"), _binary("sub"), _binary("mul"), _binary("div")
floordiv, mod, pow, atan2 = _binary("floordiv"), _binary("mod"), _binary("pow"), _binary("atan2")
maximum, minimum = _binary("maximum"), _binary("minimum")
eq, ne, lt, le, gt, ge = (_binary("eq"), _binary("ne"), _binary("lt"), _binary("le"), _binary("gt"), _binary("ge"))
logical_and, logical_or, logical_xor = _binary("logical_and"), _binary("logical_or"), _binary("logical_xor")
bit_and, bit_or, bit_xor = _binary("bit_and"), _binary("bit_or"), _binary("bit_xor")
shl, shr = _binary("shl"), _binary("shr")


def select(condition: Value, a: Operand, b: Operand) -> Value:
    """a where condition (bool, same shape) holds, else b."""
    return make("select", condition, *pair("select", a, b))


# -- shape ------------------------------------------------------------------------------------------------------
def reshape(x: Value, shape: Sequence[DimLike]) -> Value:
    """The same elements in row-major order under another shape; `x` itself when the shape is the same."""
    wanted = _ints(shape)
    return x if wanted == x.shape else make("reshape", x, shape=wanted)


def transpose(x: Value, perm: Axes) -> Value:
    """Output axis n is input axis perm[n]; `x` itself for the identity."""
    wanted = tuple(int(p) for p in perm)
    return x if wanted == tuple(range(x.rank)) else make("transpose", x, perm=wanted)


def broadcast(x: Value, shape: Sequence[DimLike], dims: Axes) -> Value:
    """Input axis n becomes output axis dims[n]; the other output axes repeat. `x` itself when nothing is added."""
    wanted = _ints(shape)
    return x if wanted == x.shape else make("broadcast", x, shape=wanted, dims=tuple(int(d) for d in dims))


def slice(x: Value, starts: Sequence[DimLike], stops: Sequence[DimLike], strides: Sequence[int] | None = None) -> Value:
    """x[start:stop:stride] on every axis (0 <= start <= stop <= extent, stride >= 1)."""
    steps = _ints(strides) if strides is not None else (1,) * x.rank
    if _ints(starts) == (0,) * x.rank and _ints(stops) == x.shape and steps == (1,) * x.rank:
        return x
    return make("slice", x, starts=_ints(starts), stops=_ints(stops), strides=steps)


def pad(x: Value, low: Sequence[DimLike], high: Sequence[DimLike], value: Number = 0) -> Value:
    """`low` and `high` elements of `value` before and after every axis; `x` itself when there are none."""
    zeros = (0,) * x.rank
    if _ints(low) == zeros and _ints(high) == zeros:
        return x
    return make("pad", x, low=_ints(low), high=_ints(high), value=plain_constant(value, TensorType((), x.dtype)))


def concat(values: Sequence[Value], axis: int) -> Value:
    """The operands one after another along `axis`; the operand itself when there is one."""
    return values[0] if len(values) == 1 else make("concat", *values, axis=int(axis))


def reverse(x: Value, axes: Axes) -> Value:
    """The elements in opposite order along `axes`; `x` itself when there are none."""
    return make("reverse", x, axes=tuple(sorted(int(a) for a in axes))) if axes else x


# -- reduce -----------------------------------------------------------------------------------------------------
def _reduction(name: str) -> Callable[[Value, Axes], Value]:
    def build(x: Value, axes: Axes) -> Value:
        return make(name, x, axes=tuple(sorted(int(a) for a in axes))) if axes else x
    build.__name__ = name
    build.__doc__ = f"The primitive {name} over `axes`, which leave the shape; `x` itself when there are none."
    return build


reduce_sum, reduce_max = _reduction("reduce_sum"), _reduction("reduce_max")
reduce_min, reduce_prod = _reduction("reduce_min"), _reduction("reduce_prod")


def argmax(x: Value, axis: int, dtype: DType = i64) -> Value:
    """Position of the largest element along `axis`: the first of equals; a NaN wins."""
    return make("argmax", x, axis=int(axis), dtype=dtype)


def argmin(x: Value, axis: int, dtype: DType = i64) -> Value:
    """Position of the smallest element along `axis`: the first of equals; a NaN wins."""
    return make("argmin", x, axis=int(axis), dtype=dtype)


def cumsum(x: Value, axis: int, exclusive: bool = False, reverse: bool = False) -> Value:
    """Running sum along `axis`; `exclusive` leaves out the element itself, `reverse` runs from the end."""
    return make("cumsum", x, axis=int(axis), exclusive=bool(exclusive), reverse=bool(reverse))


# -- contract ---------------------------------------------------------------------------------------------------
def dot(a: Value, b: Value, batch: tuple[Axes, Axes] = ((), ()), contract: tuple[Axes, Axes] | None = None) -> Value:
    """Batch dims, free dims of a, free dims of b. Default: the last axis of a with the first of b that is no batch."""
    if contract is None:
        contract = ((a.rank - 1,), (next(i for i in range(b.rank) if i not in batch[1]),))
    return make("dot", a, b, batch=_axis_pair(batch), contract=_axis_pair(contract))


def _axis_pair(axes: tuple[Axes, Axes]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    return tuple(int(i) for i in axes[0]), tuple(int(i) for i in axes[1])


def conv(x: Value, w: Value, strides: Axes, dilation: Axes | None = None, groups: int = 1,
         border: Sequence[tuple[int, int]] = ()) -> Value:
    """x [N, spatial.., C], w [spatial.., C/groups, O] -> [N, spatial.., O]; no padding. The outermost positions of x in the `border`
    (low and high of each spatial axis) are taken for zeros."""
    return make("conv", x, w, border=_pairs(border), **_conv_attrs(strides, dilation, groups))


def conv_input_grad(dy: Value, w: Value, input_spatial: Sequence[DimLike], strides: Axes, dilation: Axes | None = None,
                    groups: int = 1, padding: Sequence[tuple[int, int]] = ()) -> Value:
    """The cotangent of conv's x, without what lies in its `padding` (low and high of each spatial axis); also the transposed
    convolution."""
    return make("conv_input_grad", dy, w, input_spatial=_ints(input_spatial), padding=_pairs(padding),
                **_conv_attrs(strides, dilation, groups))


def conv_filter_grad(x: Value, dy: Value, kernel_spatial: Axes, strides: Axes, dilation: Axes | None = None,
                     groups: int = 1, border: Sequence[tuple[int, int]] = ()) -> Value:
    """The cotangent of conv's w."""
    return make("conv_filter_grad", x, dy, kernel_spatial=_ints(kernel_spatial), border=_pairs(border),
                **_conv_attrs(strides, dilation, groups))


def winograd_input(x: Value, matrix: Sequence[Sequence[float]], stride: int, start: Axes, tiles: Axes) -> Value:
    """The tiles of an image [N, height, width, C], every `stride` pixels from `start` on, each transformed by the matrix [p, q] in both
    directions: [N, height, p, p, width, C]; `tiles`: height and width."""
    return make("winograd_input", x, matrix=_matrix(matrix), stride=int(stride), start=_ints(start), tiles=_ints(tiles))


def winograd_products(t: Value, u: Value) -> Value:
    """Tiles [N, height, p, p, width, C] times those of a filter, [p, p, C, O]: [N, height, p, p, width, O]."""
    return make("winograd_products", t, u)


def winograd_output(t: Value, matrix: Sequence[Sequence[float]]) -> Value:
    """The image [N, r * height, r * width, C] of tiles [N, height, p, p, width, C], each transformed by the matrix [r, p] in both
    directions."""
    return make("winograd_output", t, matrix=_matrix(matrix))


def winograd_filter(w: Value, matrix: Sequence[Sequence[float]]) -> Value:
    """A filter [q, q, ..] transformed by the matrix [p, q] in both directions: [p, p, ..]."""
    return make("winograd_filter", w, matrix=_matrix(matrix))


def _matrix(rows: Sequence[Sequence[float]]) -> tuple[tuple[float, ...], ...]:
    return tuple(tuple(float(n) for n in row) for row in rows)


def _pairs(edges: Sequence[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    """Low and high of each axis; () for no edges at all."""
    pairs = tuple((int(low), int(high)) for low, high in edges)
    return pairs if any(map(any, pairs)) else ()


def _conv_attrs(strides: Axes, dilation: Axes | None, groups: int) -> dict[str, Any]:
    steps = _ints(strides)
    return {"strides": steps, "dilation": (1,) * len(steps) if dilation is None else _ints(dilation), "groups": int(groups)}


# -- window -----------------------------------------------------------------------------------------------------
def window_sum(x: Value, window: Axes, strides: Axes) -> Value:
    """Sums over windows of the spatial axes of x [N, spatial.., C]; no padding."""
    return make("window_sum", x, window=_ints(window), strides=_ints(strides))


def window_max(x: Value, window: Axes, strides: Axes) -> Value:
    """Maxima over windows of the spatial axes of x [N, spatial.., C]; no padding; a NaN wins."""
    return make("window_max", x, window=_ints(window), strides=_ints(strides))


def window_sum_grad(dy: Value, input_spatial: Sequence[DimLike], window: Axes, strides: Axes) -> Value:
    """The cotangent of window_sum's x."""
    return make("window_sum_grad", dy, input_spatial=_ints(input_spatial), window=_ints(window), strides=_ints(strides))


def window_max_grad(x: Value, y: Value, dy: Value, window: Axes, strides: Axes) -> Value:
    """The cotangent of window_max's x: the first maximum of a window gets the window's cotangent."""
    return make("window_max_grad", x, y, dy, window=_ints(window), strides=_ints(strides))


# -- gather -----------------------------------------------------------------------------------------------------
def take(x: Value, indices: Value, axis: int = 0) -> Value:
    """x.shape[:axis] + indices.shape + x.shape[axis+1:]; indices are clamped into range."""
    return make("take", x, indices, axis=int(axis))


def scatter_add(indices: Value, updates: Value, size: DimLike) -> Value:
    """Rows of updates [indices.shape + rest] summed into zeros [size, rest], in index order; indices are clamped."""
    return make("scatter_add", indices, updates, size=size if isinstance(size, Dim) else int(size))


# -- pseudo -----------------------------------------------------------------------------------------------------
def gradient(loss: Value, weights: Sequence[Value]) -> tuple[Value, ...]:
    """The gradients of a scalar loss; the pass `differentiate` expands the node."""
    return loss.graph.add(OPS["gradient"], (loss, *weights), {})


def cotangent(like: Value, name: str) -> Value:
    """Where the cotangent of a custom_gradient's result, of like's type, will come in; `name` is unique in the graph."""
    return like.graph.add(OPS["cotangent"], (), {"name": name, "type": like.type})[0]


def custom_gradient(values: Sequence[Value], inputs: Sequence[Value], cotangents: Sequence[Value],
                    gradients: Sequence[Value]) -> tuple[Value, ...]:
    """`values` with a gradient of one's own: `gradients` of `inputs`, computed from `cotangents` (one for each value)."""
    return values[0].graph.add(OPS["custom_gradient"], (*values, *inputs, *cotangents, *gradients), {"outputs": len(values)})


# -- shared compositions ----------------------------------------------------------------------------------------
def full_like(x: Value, value: Number) -> Value:
    """A splat constant of x's type."""
    return constant(x.graph, value, x.type)


def zeros_like(x: Value) -> Value:
    """A splat of zeros of x's type."""
    return full_like(x, 0)


def ones_like(x: Value) -> Value:
    """A splat of ones of x's type."""
    return full_like(x, 1)


def expand(x: Value, shape: Sequence[DimLike]) -> Value:
    """numpy's broadcast of x to `shape`: axes align at the end, extent 1 repeats. Raises TypeError."""
    wanted = _ints(shape)
    offset = len(wanted) - x.rank
    kept = [i for i in range(x.rank) if offset >= 0 and x.shape[i] == wanted[offset + i]]
    if offset < 0 or any(x.shape[i] != 1 for i in range(x.rank) if i not in kept):
        raise TypeError(f"expand: expected a shape that broadcasts to {list(wanted)}, given {list(x.shape)}")
    return broadcast(reshape(x, [x.shape[i] for i in kept]), wanted, [offset + i for i in kept])


def expand_reduced(y: Value, shape: Shape, axes: Axes) -> Value:
    """Repeats y, the result of a reduction over `axes` of a value of `shape`, along those axes again."""
    return broadcast(y, shape, [i for i in range(len(shape)) if i not in axes])


def square(x: Value) -> Value:
    """x * x."""
    return mul(x, x)


def _install_operators() -> None:
    for symbol, function in (("add", add), ("sub", sub), ("mul", mul), ("truediv", div)):
        def forward(self: Value, other: Operand, f: Callable[[Operand, Operand], Value] = function) -> Value:
            return f(self, other)

        def backward(self: Value, other: Operand, f: Callable[[Operand, Operand], Value] = function) -> Value:
            return f(other, self)

        setattr(Value, f"__{symbol}__", forward)
        setattr(Value, f"__r{symbol}__", backward)
    setattr(Value, "__neg__", lambda self: neg(self))  # noqa: B010


_install_operators()

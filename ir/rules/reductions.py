"""Reductions of broadcasts, of reductions, of transposes, and over nothing."""

from __future__ import annotations

from typing import Any

from ..graph import Value
from ..patterns import AnyOp, Attr, Equation, Make, Pat, built, derive, p, splat_like
from ..rewrite import rule
from ..types import DimLike, i64, product
from .families import ascending, without

EXTREMES = ("reduce_max", "reduce_min")


UNITS = ({"x": "f32[B, 1, 3]", "axes": (1,)}, {"x": "i32[1, 1]", "axes": (0, 1)})


def _unit_axes(x: Value, axes: Any) -> bool:
    return all(x.shape[i] == 1 for i in axes)


def _without_axes(x: Pat, axes: Attr) -> Pat:
    return p.reshape(x, shape=derive(lambda x, axes: tuple(x.shape[i] for i in without(axes, x.rank)), x, axes))


@rule(where=_unit_axes, ops={"f": ("reduce_max", "reduce_min", "reduce_prod")}, examples=UNITS)
def reduce_over_unit_axes(x: Pat, axes: Attr, f: AnyOp) -> Equation:
    return f(x, axes=axes), _without_axes(x, axes)


@rule(where=_unit_axes, inexact=True, examples=UNITS)
def sum_over_unit_axes(x: Pat, axes: Attr) -> Equation:
    """A sum begins at 0.0, so that of a -0.0 is 0.0."""
    return p.reduce_sum(x, axes=axes), _without_axes(x, axes)


def _merged(x: Value, a: Any, b: Any) -> tuple[int, ...]:
    left = without(a, x.rank)
    return tuple(sorted((*a, *(left[i] for i in b))))


@rule(ops={"f": EXTREMES}, examples=({"x": "f32[B, 2, 3]", "a": (1,), "b": (1,)}, {"x": "i32[2, 2, 3]", "a": (0,), "b": (0, 1)}))
def extreme_of_extreme(x: Pat, a: Attr, b: Attr, f: AnyOp) -> Equation:
    return f(f(x, axes=a), axes=b), f(x, axes=derive(_merged, x, a, b))


@rule(inexact=True, close=True, examples=({"x": "f32[B, 2, 3]", "a": (1,), "b": (1,)},))
def sum_of_sum(x: Pat, a: Attr, b: Attr) -> Equation:
    """The terms are added in another order."""
    return p.reduce_sum(p.reduce_sum(x, axes=a), axes=b), p.reduce_sum(x, axes=derive(_merged, x, a, b))


@rule(where=lambda x: x.dtype.is_float, inexact=True, examples=({"x": "f32[B, 2, 3]", "axes": (0, 2)},))
def sum_of_negated(x: Pat, axes: Attr) -> Equation:
    """One sign for the result in place of one for each term; a sum that is zero changes its sign."""
    return p.reduce_sum(-x, axes=axes), -p.reduce_sum(x, axes=axes)


def _reduced_broadcast(op: str, make: Make, x: Value, shape: Any, dims: Any, axes: Any) -> tuple[Value, list[DimLike]]:
    """The reduction of broadcast(x) without the axes that only repeat, and the extents of those."""
    inner = tuple(i for i, d in enumerate(dims) if d in axes)
    repeated = [shape[a] for a in axes if a not in dims]
    reduced = make(op, x, axes=inner) if inner else x
    kept = without(axes, len(shape))
    places = tuple(kept.index(d) for d in dims if d not in axes)
    result_shape = tuple(shape[i] for i in kept)
    spread = reduced if result_shape == reduced.shape else make("broadcast", reduced, shape=result_shape, dims=places)
    return spread, repeated


def _extreme_of_broadcast(make: Make, node: Any, x: Value, shape: Any, dims: Any, axes: Any) -> Value:
    return _reduced_broadcast(node.op.name, make, x, shape, dims, axes)[0]


def _repeats(dims: Any, axes: Any) -> bool:
    return any(a not in dims for a in axes)


@rule(where=lambda n, axes: _repeats(n, axes), ops={"f": EXTREMES},
      examples=({"x": "f32[3]", "s": ("B", 3), "n": (1,), "axes": (0,)}, {"x": "i32[3, 2]", "s": (3, 4, 2), "n": (0, 2), "axes": (1, 2)}))
def extreme_of_broadcast(x: Pat, s: Attr, n: Attr, axes: Attr, f: AnyOp) -> Equation:
    return (f(p.broadcast(x, shape=s, dims=n), axes=axes), built(_extreme_of_broadcast, f, x, s, n, axes))


def _sum_of_broadcast(make: Make, x: Value, shape: Any, dims: Any, axes: Any) -> Value:
    spread, repeated = _reduced_broadcast("reduce_sum", make, x, shape, dims, axes)
    count = product(repeated)
    if isinstance(count, int):
        number = float(count) if x.dtype.is_float else count
        return make("mul", spread, make("constant", value=number, type=spread.type))
    size = make("cast", make("dim_size", dim=count, dtype=i64), dtype=x.dtype)
    if spread.rank:
        size = make("broadcast", size, shape=spread.shape, dims=())
    return make("mul", spread, size)


def _fits(x: Value, s: Any, n: Any, axes: Any) -> bool:
    """Integers wrap around in a sum as in a product, but a count that does not fit the type cannot be written."""
    count = product(s[a] for a in axes if a not in n)
    return x.dtype.is_float or (x.dtype.is_integer and isinstance(count, int) and count < 2 ** (8 * x.dtype.size - 1))


@rule(where=lambda x, s, n, axes: _repeats(n, axes) and _fits(x, s, n, axes), inexact=True, close=True,
      examples=({"x": "f32[3]", "s": ("B", 3), "n": (1,), "axes": (0,)}, {"x": "f32[3, 2]", "s": (3, 4, 2), "n": (0, 2), "axes": (1, 2)},
                {"x": "i32[]", "s": (3, 4), "n": (), "axes": (0, 1)}))
def sum_of_broadcast(x: Pat, s: Attr, n: Attr, axes: Attr) -> Equation:
    """n equal terms are n times the term: rounded once, not n times."""
    return p.reduce_sum(p.broadcast(x, shape=s, dims=n), axes=axes), built(_sum_of_broadcast, x, s, n, axes)


def _reduced_transpose(make: Make, node: Any, x: Value, perm: Any, axes: Any) -> Value:
    inner = tuple(sorted(perm[a] for a in axes))
    reduced = make(node.op.name, x, axes=inner)
    order = [perm[i] for i in without(axes, x.rank)]
    if ascending(order):
        return reduced
    return make("transpose", reduced, perm=tuple(sorted(order).index(i) for i in order))


@rule(ops={"f": EXTREMES}, examples=({"x": "f32[2, B, 4]", "perm": (2, 0, 1), "axes": (1,)},
                                  {"x": "i32[2, 3, 4]", "perm": (2, 1, 0), "axes": (1,)}))
def extreme_of_transposed(x: Pat, perm: Attr, axes: Attr, f: AnyOp) -> Equation:
    return f(p.transpose(x, perm=perm), axes=axes), built(_reduced_transpose, f, x, perm, axes)


@rule(where=lambda axes: len(axes) == 1, ops={"f": ("reduce_sum",)}, close=True,
      examples=({"x": "f32[2, B, 4]", "perm": (2, 0, 1), "axes": (1,)}, {"x": "f32[2, 3, 4]", "perm": (2, 1, 0), "axes": (0,)}))
def sum_of_transposed(x: Pat, perm: Attr, axes: Attr, f: AnyOp) -> Equation:
    """Over one axis the order of the terms stays."""
    return f(p.transpose(x, perm=perm), axes=axes), built(_reduced_transpose, f, x, perm, axes)


@rule(where=lambda x, axis: x.shape[axis] == 1, examples=({"x": "f32[B, 1, 3]", "axis": 1, "d": "i32"},))
def argmax_over_unit_axis(x: Pat, axis: Attr, d: Attr) -> Equation:
    shape = derive(lambda x, axis: x.shape[:axis] + x.shape[axis + 1:], x, axis)
    return p.argmax(x, axis=axis, dtype=d), splat_like(0, shape, d)


@rule(where=lambda x, axis: x.shape[axis] == 1, examples=({"x": "f32[B, 1]", "axis": 1, "r": True},))
def cumsum_over_unit_axis(x: Pat, axis: Attr, r: Attr) -> Equation:
    return p.cumsum(x, axis=axis, exclusive=False, reverse=r), x



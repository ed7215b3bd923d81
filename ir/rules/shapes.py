"""Reshapes, transposes and broadcasts: merged, dropped, and moved past elementwise ops towards the readers.

A reshape is a view, so it costs nothing wherever it stands; below an elementwise op it keeps fusion from seeing the
producer, above it does not. An op on a broadcast value is done before the broadcast, where there are fewer elements.
"""

from __future__ import annotations

from typing import Any

from ..graph import Value
from ..patterns import AnyOp, Attr, Equation, Make, Pat, Splat, built, derive, p, splat_like
from ..rewrite import rule
from .families import BINARY, UNARY, ascending, squeezed

ONES = ({"x": "f32[2, 3]", "s": (3, 2)}, {"x": "f32[B, 6]", "s": (2, "B", 3)}, {"x": "bool[2, 3]", "y": "bool[2, 3]", "s": (6,)},
        {"x": "i32[2, 3]", "y": "i32[2, 3]", "s": (6,)})
SPREAD = ({"x": "f32[3]", "y": "f32[3]", "s": ("B", 3), "n": (1,)}, {"x": "f32[]", "y": "f32[]", "s": (2, 3), "n": ()},
          {"x": "bool[3]", "y": "bool[3]", "s": (3, 2), "n": (0,)}, {"x": "i32[3]", "y": "i32[3]", "s": (3, 2), "n": (0,)})


# -- reshape ------------------------------------------------------------------------------------------------------
@rule(where=lambda x, s: x.shape == s, examples=({"x": "f32[B, 3]", "s": ("B", 3)},))
def reshape_to_own_shape(x: Pat, s: Attr) -> Equation:
    return p.reshape(x, shape=s), x


@rule(examples=({"x": "f32[2, 6]", "s": (3, 4), "t": (12,)}, {"x": "f32[B, 6]", "s": (6, "B"), "t": ("B", 6)}))
def reshape_twice(x: Pat, s: Attr, t: Attr) -> Equation:
    return p.reshape(p.reshape(x, shape=s), shape=t), p.reshape(x, shape=t)


@rule(ops={"f": UNARY}, examples=ONES)
def unary_of_reshaped(x: Pat, s: Attr, f: AnyOp) -> Equation:
    return f(p.reshape(x, shape=s)), p.reshape(f(x), shape=s)


@rule(where=lambda x, y: x.shape == y.shape, ops={"f": BINARY}, examples=ONES)
def binary_of_reshaped(x: Pat, y: Pat, s: Attr, f: AnyOp) -> Equation:
    return f(p.reshape(x, shape=s), p.reshape(y, shape=s)), p.reshape(f(x, y), shape=s)


SPLAT_ONES = ({"x": "f32[2, 3]", "s": (6,), "c": (2.0, "f32[6]")}, {"x": "i32[2, 3]", "s": (6,), "c": (2, "i32[6]")},
              {"x": "bool[2, 3]", "s": (6,), "c": (True, "bool[6]")})


@rule(ops={"f": BINARY}, examples=SPLAT_ONES)
def binary_of_reshaped_and_constant(x: Pat, c: Splat, s: Attr, f: AnyOp) -> Equation:
    return f(p.reshape(x, shape=s), c), p.reshape(f(x, splat_like(c.value, x.shape, c.dtype)), shape=s)


@rule(ops={"f": BINARY}, examples=SPLAT_ONES)
def binary_of_constant_and_reshaped(x: Pat, c: Splat, s: Attr, f: AnyOp) -> Equation:
    return f(c, p.reshape(x, shape=s)), p.reshape(f(splat_like(c.value, x.shape, c.dtype), x), shape=s)


SELECT_ONES = ({"c": "bool[2, 3]", "x": "f32[2, 3]", "y": "f32[2, 3]", "s": (6,), "k": (2.0, "f32[6]")},)


@rule(where=lambda c, x, y: c.shape == x.shape == y.shape, examples=SELECT_ONES)
def select_of_reshaped(c: Pat, x: Pat, y: Pat, s: Attr) -> Equation:
    return (p.select(p.reshape(c, shape=s), p.reshape(x, shape=s), p.reshape(y, shape=s)), p.reshape(p.select(c, x, y), shape=s))


@rule(where=lambda c, x: c.shape == x.shape, examples=SELECT_ONES)
def select_of_reshaped_or_constant(c: Pat, x: Pat, k: Splat, s: Attr) -> Equation:
    return (p.select(p.reshape(c, shape=s), p.reshape(x, shape=s), k),
            p.reshape(p.select(c, x, splat_like(k.value, x.shape, k.dtype)), shape=s))


@rule(where=lambda c, x: c.shape == x.shape, examples=SELECT_ONES)
def select_of_constant_or_reshaped(c: Pat, x: Pat, k: Splat, s: Attr) -> Equation:
    return (p.select(p.reshape(c, shape=s), k, p.reshape(x, shape=s)),
            p.reshape(p.select(c, splat_like(k.value, x.shape, k.dtype), x), shape=s))


# -- transpose ----------------------------------------------------------------------------------------------------
@rule(examples=({"x": "f32[2, 3, 4]", "a": (1, 2, 0), "b": (0, 2, 1)}, {"x": "f32[2, B]", "a": (1, 0), "b": (1, 0)}))
def transpose_twice(x: Pat, a: Attr, b: Attr) -> Equation:
    return p.transpose(p.transpose(x, perm=a), perm=b), p.transpose(x, perm=derive(lambda a, b: tuple(a[i] for i in b), a, b))


@rule(where=lambda x, perm: ascending([i for i in perm if x.shape[i] != 1]),
      examples=({"x": "f32[2, 1, B]", "perm": (1, 0, 2)}, {"x": "f32[2, 3]", "perm": (0, 1)}))
def transpose_of_unit_axes(x: Pat, perm: Attr) -> Equation:
    """Moving an axis of extent 1 moves no element; this is also the identity."""
    return p.transpose(x, perm=perm), p.reshape(x, shape=derive(lambda x, perm: tuple(x.shape[i] for i in perm), x, perm))


# -- broadcast ----------------------------------------------------------------------------------------------------
@rule(where=lambda x, s: x.shape == s, examples=({"x": "f32[2, B]", "s": (2, "B"), "n": (0, 1)},))
def broadcast_to_own_shape(x: Pat, s: Attr, n: Attr) -> Equation:
    return p.broadcast(x, shape=s, dims=n), x


@rule(where=lambda x, s: squeezed(x.shape) == squeezed(s), examples=({"x": "f32[B, 3]", "s": ("B", 1, 3), "n": (0, 2)},))
def broadcast_along_unit_axes(x: Pat, s: Attr, n: Attr) -> Equation:
    return p.broadcast(x, shape=s, dims=n), p.reshape(x, shape=s)


@rule(examples=({"x": "f32[3]", "s": (2, 3), "n": (1,), "t": (2, "B", 3, 4), "m": (0, 2)},))
def broadcast_twice(x: Pat, s: Attr, n: Attr, t: Attr, m: Attr) -> Equation:
    return (p.broadcast(p.broadcast(x, shape=s, dims=n), shape=t, dims=m),
            p.broadcast(x, shape=t, dims=derive(lambda n, m: tuple(m[i] for i in n), n, m)))


@rule(where=lambda x: 1 in x.shape, examples=({"x": "f32[1, 3]", "s": (1, 3, "B"), "n": (0, 1)},
                                             {"x": "f32[2, 1]", "s": (2, 1, 4), "n": (0, 1)}))
def broadcast_of_unit_axes(x: Pat, s: Attr, n: Attr) -> Equation:
    """Axes of extent 1 need no place in the result; without them a reshape before the broadcast may vanish."""
    kept = derive(lambda x, n: tuple(d for d, extent in zip(n, x.shape, strict=True) if extent != 1), x, n)
    return p.broadcast(x, shape=s, dims=n), p.broadcast(p.reshape(x, shape=derive(squeezed, x.shape)), shape=s, dims=kept)


@rule(where=lambda x: x.rank == 0, examples=({"x": "f32[]", "s": (2, 3), "n": (), "t": (6,)},))
def reshape_of_repeated_scalar(x: Pat, s: Attr, n: Attr, t: Attr) -> Equation:
    return p.reshape(p.broadcast(x, shape=s, dims=n), shape=t), p.broadcast(x, shape=t, dims=())


@rule(ops={"f": UNARY}, examples=SPREAD)
def unary_of_broadcast(x: Pat, s: Attr, n: Attr, f: AnyOp) -> Equation:
    return f(p.broadcast(x, shape=s, dims=n)), p.broadcast(f(x), shape=s, dims=n)


@rule(ops={"f": BINARY}, examples=SPREAD)
def binary_of_broadcasts(x: Pat, y: Pat, s: Attr, n: Attr, f: AnyOp) -> Equation:
    return (f(p.broadcast(x, shape=s, dims=n), p.broadcast(y, shape=s, dims=n)), p.broadcast(f(x, y), shape=s, dims=n))


SPLAT_SPREAD = ({"x": "f32[3]", "s": (2, 3), "n": (1,), "c": (2.0, "f32[2, 3]")},
                {"x": "i32[3]", "s": (2, 3), "n": (1,), "c": (2, "i32[2, 3]")},
                {"x": "bool[3]", "s": (2, 3), "n": (1,), "c": (True, "bool[2, 3]")})


@rule(ops={"f": BINARY}, examples=SPLAT_SPREAD)
def binary_of_broadcast_and_constant(x: Pat, c: Splat, s: Attr, n: Attr, f: AnyOp) -> Equation:
    return f(p.broadcast(x, shape=s, dims=n), c), p.broadcast(f(x, splat_like(c.value, x.shape, c.dtype)), shape=s, dims=n)


@rule(ops={"f": BINARY}, examples=SPLAT_SPREAD)
def binary_of_constant_and_broadcast(x: Pat, c: Splat, s: Attr, n: Attr, f: AnyOp) -> Equation:
    return f(c, p.broadcast(x, shape=s, dims=n)), p.broadcast(f(splat_like(c.value, x.shape, c.dtype), x), shape=s, dims=n)


SELECT_SPREAD = ({"c": "bool[3]", "x": "f32[3]", "y": "f32[3]", "s": (2, 3), "n": (1,)},)


@rule(examples=SELECT_SPREAD)
def select_of_broadcasts(c: Pat, x: Pat, y: Pat, s: Attr, n: Attr) -> Equation:
    return (p.select(p.broadcast(c, shape=s, dims=n), p.broadcast(x, shape=s, dims=n), p.broadcast(y, shape=s, dims=n)),
            p.broadcast(p.select(c, x, y), shape=s, dims=n))


NEGATED = ({"x": "f32[B, 3]", "y": "f32[3]", "s": ("B", 3), "n": (1,)},)


@rule(examples=NEGATED)
def add_broadcast_of_negated(x: Pat, y: Pat, s: Attr, n: Attr) -> Equation:
    return x + p.broadcast(-y, shape=s, dims=n), x - p.broadcast(y, shape=s, dims=n)


@rule(examples=NEGATED)
def subtract_broadcast_of_negated(x: Pat, y: Pat, s: Attr, n: Attr) -> Equation:
    return x - p.broadcast(-y, shape=s, dims=n), x + p.broadcast(y, shape=s, dims=n)


def _transposed_broadcast(make: Make, x: Value, shape: Any, dims: Any, perm: Any) -> Value:
    places = [perm.index(d) for d in dims]
    order = tuple(sorted(range(x.rank), key=places.__getitem__))
    moved = x if ascending(order) else make("transpose", x, perm=order)
    return make("broadcast", moved, shape=tuple(shape[i] for i in perm), dims=tuple(sorted(places)))


@rule(examples=({"x": "f32[2, 3]", "s": (2, 3, 4), "n": (0, 1), "perm": (2, 1, 0)},
                {"x": "f32[3]", "s": ("B", 3), "n": (1,), "perm": (1, 0)}))
def transpose_of_broadcast(x: Pat, s: Attr, n: Attr, perm: Attr) -> Equation:
    """The transpose moves to the smaller side, or vanishes."""
    return p.transpose(p.broadcast(x, shape=s, dims=n), perm=perm), built(_transposed_broadcast, x, s, n, perm)

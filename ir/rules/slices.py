"""Slices, pads, concatenations and reversals: merged, cancelled, or reduced to what they really take."""

from __future__ import annotations

from typing import Any

from ..graph import Node, Value
from ..patterns import Attr, Equation, Make, Pat, built, derive, p
from ..rewrite import procedure, rule
from ..types import DimLike
from .families import steps


# -- slice ----------------------------------------------------------------------------------------------------------
@rule(where=lambda x, a, b: all(i == 0 for i in a) and tuple(b) == x.shape,
      examples=({"x": "f32[B, 3]", "a": (0, 0), "b": ("B", 3)},))
def slice_of_everything(x: Pat, a: Attr, b: Attr) -> Equation:
    return p.slice(x, starts=a, stops=b, strides=derive(lambda x: (1,) * x.rank, x)), x


def _sliced_twice(make: Make, x: Value, a: Any, s: Any, c: Any, d: Any, t: Any) -> Value:
    starts, stops, strides = [], [], []
    for axis in range(x.rank):
        first = a[axis] + s[axis] * c[axis]
        count = steps(c[axis], d[axis], t[axis])
        stride = s[axis] * t[axis]
        starts.append(first)
        stops.append(first + count if stride == 1 else first + (count - 1) * stride + 1)  # at least one is left: see the guard
        strides.append(stride)
    return make("slice", x, starts=tuple(starts), stops=tuple(stops), strides=tuple(strides))


def _strides_are_known(s: Any, t: Any, c: Any, d: Any) -> bool:
    return all((s[i] == 1 and t[i] == 1) or (isinstance(c[i], int) and isinstance(d[i], int) and d[i] > c[i]) for i in range(len(s)))


@rule(where=lambda s, t, c, d: _strides_are_known(s, t, c, d),
      examples=({"x": "f32[20]", "a": (2,), "b": (20,), "s": (3,), "c": (1,), "d": (6,), "t": (2,)},
                {"x": "f32[B, 9]", "a": (0, 1), "b": ("B", 8), "s": (1, 1), "c": (0, 2), "d": ("B", 5), "t": (1, 1)}))
def slice_twice(x: Pat, a: Attr, b: Attr, s: Attr, c: Attr, d: Attr, t: Attr) -> Equation:
    return p.slice(p.slice(x, starts=a, stops=b, strides=s), starts=c, stops=d, strides=t), built(_sliced_twice, x, a, s, c, d, t)


def _kept_of_pad(x: Value, low: Any, high: Any, a: Any, b: Any, t: Any) -> bool:
    """Whether every axis is either not padded, or cut back to exactly what was there before."""
    return all((low[i] == 0 and high[i] == 0) or (a[i] == low[i] and b[i] == low[i] + x.shape[i] and t[i] == 1) for i in range(x.rank))


def _slice_below_pad(make: Make, x: Value, low: Any, high: Any, a: Any, b: Any, t: Any) -> Value:
    padded = [low[i] != 0 or high[i] != 0 for i in range(x.rank)]
    starts = tuple(0 if padded[i] else a[i] for i in range(x.rank))
    stops = tuple(x.shape[i] if padded[i] else b[i] for i in range(x.rank))
    return make("slice", x, starts=starts, stops=stops, strides=tuple(t))


@rule(where=_kept_of_pad,
      examples=({"x": "f32[B, 3]", "low": (0, 2), "high": (0, 1), "v": 0.0, "a": (0, 2), "b": ("B", 5), "t": (1, 1)},
                {"x": "f32[6, 3]", "low": (0, 2), "high": (0, 1), "v": 0.0, "a": (2, 2), "b": (6, 5), "t": (2, 1)}))
def slice_cancels_pad(x: Pat, low: Attr, high: Attr, v: Attr, a: Attr, b: Attr, t: Attr) -> Equation:
    return (p.slice(p.pad(x, low=low, high=high, value=v), starts=a, stops=b, strides=t), built(_slice_below_pad, x, low, high, a, b, t))


def _sliced_broadcast(make: Make, x: Value, s: Any, n: Any, a: Any, b: Any, t: Any) -> Value:
    inner = make("slice", x, starts=tuple(a[i] for i in n), stops=tuple(b[i] for i in n), strides=tuple(t[i] for i in n))
    return make("broadcast", inner, shape=tuple(steps(a[i], b[i], t[i]) for i in range(len(s))), dims=n)


@rule(where=lambda a, b, t: all(t[i] == 1 or (isinstance(a[i], int) and isinstance(b[i], int)) for i in range(len(t))),
      examples=({"x": "f32[6]", "s": ("B", 6), "n": (1,), "a": (0, 1), "b": ("B", 6), "t": (1, 2)},))
def slice_of_broadcast(x: Pat, s: Attr, n: Attr, a: Attr, b: Attr, t: Attr) -> Equation:
    return (p.slice(p.broadcast(x, shape=s, dims=n), starts=a, stops=b, strides=t), built(_sliced_broadcast, x, s, n, a, b, t))


def _cuts_space_only(x: Value, a: Any, b: Any, t: Any) -> bool:
    whole = (0, x.rank - 1)
    return all(step == 1 for step in t) and all(a[i] == 0 and b[i] == x.shape[i] for i in whole) \
        and all(isinstance(edge, int) for edge in (*a[1:-1], *(n - e for n, e in zip(x.shape[1:-1], b[1:-1], strict=True))))


@procedure(("slice",), ("""graph g {
  param %dy: f32[B, 3, 4, 5]
  param %w: f32[3, 3, 2, 5]
  %0 = conv_input_grad(%dy, %w, input_spatial=(7, 6), strides=(2, 1), dilation=(1, 1))
  %1 = slice(%0, starts=(0, 0, 1, 0), stops=(B, 6, 5, 2), strides=(1, 1, 1, 1))
  out a = %1
}
""", """graph g {
  param %dy: f32[2, 5, 3]
  param %w: f32[3, 1, 3]
  %0 = conv_input_grad(%dy, %w, input_spatial=(9,), strides=(1,), dilation=(2,), groups=1)
  %1 = slice(%0, starts=(0, 2, 0), stops=(2, 7, 1), strides=(1, 1, 1))
  out a = %1
}
"""), close=True)
def slice_of_input_grad(make: Make, node: Node) -> Value | None:
    """The gradient of a padded convolution's input is computed without the padding."""
    (x,), grad = node.inputs, node.inputs[0].node
    a, b = node.attrs["starts"], node.attrs["stops"]
    if grad.op.name != "conv_input_grad" or not _cuts_space_only(x, a, b, node.attrs["strides"]):
        return None
    spatial = x.shape[1:-1]
    before = grad.attrs["padding"] or ((0, 0),) * len(spatial)
    pairs = tuple((low + start, high + int(n - stop)) for (low, high), start, stop, n
                  in zip(before, a[1:-1], b[1:-1], spatial, strict=True))
    kept = tuple(stop - start for start, stop in zip(a[1:-1], b[1:-1], strict=True))
    return make("conv_input_grad", *grad.inputs, **{**grad.attrs, "input_spatial": kept, "padding": pairs})


@procedure(("slice",), ("""graph g {
  param %x: f32[B, 2]
  param %y: f32[B, 3]
  %0 = concat(%x, %y, axis=1)
  %1 = slice(%0, starts=(0, 3), stops=(B, 5), strides=(1, 1))
  %2 = slice(%0, starts=(0, 0), stops=(B, 2), strides=(1, 1))
  out a = %1
  out b = %2
}
""", """graph g {
  param %x: f32[B, 2]
  param %y: f32[B, 2]
  %0 = concat(%x, %y, axis=0)
  %1 = slice(%0, starts=(B, 0), stops=(2*B, 2), strides=(1, 1))
  out a = %1
}
"""))
def slice_of_concat(make: Make, node: Node) -> Value | None:
    """slice(concat(a, b, ...)) that stays within one operand is a slice of that operand."""
    joined = node.inputs[0].node
    if joined.op.name != "concat":
        return None
    axis = joined.attrs["axis"]
    start, stop = node.attrs["starts"][axis], node.attrs["stops"][axis]
    offset: DimLike = 0
    for part in joined.inputs:
        end = offset + part.shape[axis]
        if _inside(offset, start, stop, end):
            starts, stops = list(node.attrs["starts"]), list(node.attrs["stops"])
            starts[axis], stops[axis] = start - offset, stop - offset
            return make("slice", part, starts=tuple(starts), stops=tuple(stops), strides=node.attrs["strides"])
        offset = end
    return None


def _inside(offset: DimLike, start: DimLike, stop: DimLike, end: DimLike) -> bool:
    if (start, stop) == (offset, end):
        return True
    first, last = start - offset, end - stop
    return isinstance(first, int) and isinstance(last, int) and first >= 0 and last >= 0


# -- pad ----------------------------------------------------------------------------------------------------------
@rule(where=lambda low, high: all(i == 0 for i in (*low, *high)),
      examples=({"x": "f32[B, 3]", "low": (0, 0), "high": (0, 0), "v": 1.0},))
def pad_by_nothing(x: Pat, low: Attr, high: Attr, v: Attr) -> Equation:
    return p.pad(x, low=low, high=high, value=v), x


def _sum(a: Any, b: Any) -> tuple[DimLike, ...]:
    return tuple(i + j for i, j in zip(a, b, strict=True))


@rule(examples=({"x": "f32[B, 3]", "low": (0, 1), "high": (0, 2), "v": 0.5, "a": (1, 1), "b": (0, 0)},))
def pad_twice(x: Pat, low: Attr, high: Attr, v: Attr, a: Attr, b: Attr) -> Equation:
    return (p.pad(p.pad(x, low=low, high=high, value=v), low=a, high=b, value=v),
            p.pad(x, low=derive(_sum, low, a), high=derive(_sum, high, b), value=v))


# -- concat ---------------------------------------------------------------------------------------------------------
@procedure(("concat",), ("""graph g {
  param %x: f32[B, 2]
  %0 = concat(%x, axis=1)
  out a = %0
}
""",))
def concat_of_one(make: Make, node: Node) -> Value | None:
    """concat(x) is x."""
    return node.inputs[0] if len(node.inputs) == 1 else None


@procedure(("concat",), ("""graph g {
  param %x: f32[B, 2]
  param %y: f32[B, 3]
  %0 = concat(%x, %y, axis=1)
  %1 = concat(%y, %0, %x, axis=1)
  out a = %1
}
""",))
def concat_of_concat(make: Make, node: Node) -> Value | None:
    """concat(a, concat(b, c)) along one axis is concat(a, b, c)."""
    axis = node.attrs["axis"]
    flat: list[Value] = []
    for value in node.inputs:
        inner = value.node.op.name == "concat" and value.node.attrs["axis"] == axis
        flat.extend(value.node.inputs if inner else (value,))
    return None if len(flat) == len(node.inputs) else make("concat", *flat, axis=axis)


@procedure(("concat",), ("""graph g {
  param %x: f32[B, 9]
  param %y: f32[B, 3]
  %0 = slice(%x, starts=(0, 1), stops=(B, 4), strides=(1, 1))
  %1 = slice(%x, starts=(0, 4), stops=(B, 6), strides=(1, 1))
  %2 = concat(%y, %0, %1, axis=1)
  out a = %2
}
""",))
def concat_of_neighbours(make: Make, node: Node) -> Value | None:
    """concat(x[a:b], x[b:c]) is x[a:c]."""
    axis = node.attrs["axis"]
    joined: list[Value] = []
    for value in node.inputs:
        merged = _merge_slices(make, joined[-1], value, axis) if joined else None
        if merged is None:
            joined.append(value)
        else:
            joined[-1] = merged
    return None if len(joined) == len(node.inputs) else make("concat", *joined, axis=axis)


def _merge_slices(make: Make, a: Value, b: Value, axis: int) -> Value | None:
    if a.node.op.name != "slice" or b.node.op.name != "slice" or a.node.inputs != b.node.inputs:
        return None
    first, second = a.node.attrs, b.node.attrs
    if first["strides"] != second["strides"] or first["strides"][axis] != 1 or first["stops"][axis] != second["starts"][axis]:
        return None
    if any(first[k][i] != second[k][i] for k in ("starts", "stops") for i in range(a.rank) if i != axis):
        return None
    stops = tuple(second["stops"][i] if i == axis else d for i, d in enumerate(first["stops"]))
    return make("slice", a.node.inputs[0], starts=first["starts"], stops=stops, strides=first["strides"])


# -- reverse --------------------------------------------------------------------------------------------------------
@rule(examples=({"x": "f32[2, 3]", "a": (0, 1), "b": (1,)}, {"x": "f32[B, 3]", "a": (0,), "b": (0,)}))
def reverse_twice(x: Pat, a: Attr, b: Attr) -> Equation:
    return p.reverse(p.reverse(x, axes=a), axes=b), p.reverse(x, axes=derive(lambda a, b: tuple(sorted({*a} ^ {*b})), a, b))


@rule(where=lambda x, a: any(x.shape[i] == 1 for i in a), examples=({"x": "f32[2, 1]", "a": (0, 1)}, {"x": "f32[2, 1]", "a": (1,)}))
def reverse_of_unit_axes(x: Pat, a: Attr) -> Equation:
    return p.reverse(x, axes=a), p.reverse(x, axes=derive(lambda x, a: tuple(i for i in a if x.shape[i] != 1), x, a))


@rule(examples=({"x": "f32[2, 3]"},))
def reverse_of_no_axis(x: Pat) -> Equation:
    return p.reverse(x, axes=()), x

"""Contractions, convolutions and windows: transposes absorbed, degenerate cases made simpler."""

from __future__ import annotations

from typing import Any

from ..graph import Node, Value
from ..patterns import Attr, Equation, Make, Pat, derive, p
from ..rewrite import procedure, rule
from .families import ascending, without

NONE: tuple[tuple[int, ...], tuple[int, ...]] = ((), ())


def _in_order(side: int, perm: Any, batch: Any, contract: Any) -> bool:
    """Whether the free axes of a transposed operand are in the same order before the transpose."""
    return ascending([perm[i] for i in without((*batch[side], *contract[side]), len(perm))])


def _through(side: int, perm: Any, pairs: Any) -> Any:
    moved = tuple(perm[i] for i in pairs[side])
    return (moved, pairs[1]) if side == 0 else (pairs[0], moved)


@rule(where=lambda perm, n, c: _in_order(0, perm, n, c), close=True,
      examples=({"x": "f32[7, B]", "y": "f32[7, 3]", "perm": (1, 0), "n": NONE, "c": ((1,), (0,))},
                {"x": "f32[5, 2, 4]", "y": "f32[2, 4, 3]", "perm": (1, 0, 2), "n": ((0,), (0,)), "c": ((2,), (1,))}))
def dot_of_transposed_left(x: Pat, y: Pat, perm: Attr, n: Attr, c: Attr) -> Equation:
    return (p.dot(p.transpose(x, perm=perm), y, batch=n, contract=c),
            p.dot(x, y, batch=derive(lambda q, n: _through(0, q, n), perm, n), contract=derive(lambda q, c: _through(0, q, c), perm, c)))


@rule(where=lambda perm, n, c: _in_order(1, perm, n, c), close=True,
      examples=({"x": "f32[B, 7]", "y": "f32[3, 7]", "perm": (1, 0), "n": NONE, "c": ((1,), (0,))},
                {"x": "f32[2, 5, 4]", "y": "f32[4, 2, 3]", "perm": (1, 0, 2), "n": ((0,), (0,)), "c": ((2,), (1,))}))
def dot_of_transposed_right(x: Pat, y: Pat, perm: Attr, n: Attr, c: Attr) -> Equation:
    return (p.dot(x, p.transpose(y, perm=perm), batch=n, contract=c),
            p.dot(x, y, batch=derive(lambda q, n: _through(1, q, n), perm, n), contract=derive(lambda q, c: _through(1, q, c), perm, c)))


def _swaps_operands(x: Any, y: Any, perm: Any, n: Any, c: Any) -> bool:
    outer = len(n[0])
    rows, columns = x.rank - outer - len(c[0]), y.rank - outer - len(c[1])
    return tuple(perm) == (*range(outer), *range(outer + rows, outer + rows + columns), *range(outer, outer + rows))


@rule(where=_swaps_operands, close=True,
      examples=({"x": "f32[B, 7]", "y": "f32[7, 3]", "perm": (1, 0), "n": NONE, "c": ((1,), (0,))},
                {"x": "f32[2, 5, 4]", "y": "f32[2, 4, 3]", "perm": (0, 2, 1), "n": ((0,), (0,)), "c": ((2,), (1,))}))
def transpose_of_dot(x: Pat, y: Pat, perm: Attr, n: Attr, c: Attr) -> Equation:
    """(x y)' = y' x': the operands change places."""
    swap = derive(lambda pair: (pair[1], pair[0]), n), derive(lambda pair: (pair[1], pair[0]), c)
    return p.transpose(p.dot(x, y, batch=n, contract=c), perm=perm), p.dot(y, x, batch=swap[0], contract=swap[1])


def _is_dense(w: Any, s: Any, g: Any, e: Any) -> bool:
    return g == 1 and not e and all(i == 1 for i in s) and all(d == 1 for d in w.shape[:-2])


@rule(where=_is_dense, close=True,
      examples=({"x": "f32[B, 4, 5, 3]", "w": "f32[1, 1, 3, 2]", "s": (1, 1), "d": (1, 1), "g": 1, "e": ()},
                {"x": "f32[B, 4, 3]", "w": "f32[1, 3, 2]", "s": (1,), "d": (2,), "g": 1, "e": ()}))
def pointwise_conv(x: Pat, w: Pat, s: Attr, d: Attr, g: Attr, e: Attr) -> Equation:
    """A kernel of one pixel mixes channels only."""
    return (p.conv(x, w, strides=s, dilation=d, groups=g, border=e),
            p.dot(x, p.reshape(w, shape=derive(lambda w: w.shape[-2:], w)), batch=NONE,
                  contract=derive(lambda x: ((x.rank - 1,), (0,)), x)))


@rule(where=lambda window, s: all(i == 1 for i in (*window, *s)), examples=({"x": "f32[B, 4, 5, 3]", "window": (1, 1), "s": (1, 1)},))
def sum_of_single_windows(x: Pat, window: Attr, s: Attr) -> Equation:
    return p.window_sum(x, window=window, strides=s), x


@rule(where=lambda window, s: all(i == 1 for i in (*window, *s)), examples=({"x": "f32[B, 4, 5, 3]", "window": (1, 1), "s": (1, 1)},))
def maximum_of_single_windows(x: Pat, window: Attr, s: Attr) -> Equation:
    return p.window_max(x, window=window, strides=s), x


BORDER = 0.03  # the share of an axis's taps that must meet the border for bounds on its sums to be worth their cost


@procedure(("conv", "conv_filter_grad"), ("""graph g {
  param %x: f32[B, 6, 5, 3]
  param %w: f32[3, 3, 3, 4]
  %0 = pad(%x, low=(0, 1, 0, 0), high=(0, 1, 2, 0), value=0.0)
  %1 = conv(%0, %w, strides=(1, 1), dilation=(1, 1))
  %2 = conv_filter_grad(%0, %1, kernel_spatial=(3, 3), strides=(1, 1), dilation=(1, 1))
  out a = %1
  out b = %2
}
""",), inexact=True)
def zeros_that_were_padded(make: Make, node: Node) -> Value | None:
    """What a convolution would multiply by the zeros around its image is not summed. Along the last axis positions share their taps, and
    windows of a depthwise convolution what they read: there the zeros stay."""
    x, window = node.inputs[0], node.attrs.get("kernel_spatial") or node.inputs[1].shape[:-2]
    pad = x.node
    if pad.op.name != "pad" or pad.attrs["value"] != 0 or node.attrs["border"] or node.attrs["groups"] != 1:
        return None
    edges = list(zip(pad.attrs["low"], pad.attrs["high"], strict=True))
    if any(low or high for low, high in (edges[0], edges[-1])) or not all(isinstance(n, int) for pair in edges for n in pair):
        return None
    border = [(0, 0)] * len(window)
    for axis, (taps, (low, high), extent) in enumerate(zip(window[:-1], edges[1:-2], x.shape[1:-2], strict=True)):
        if isinstance(extent, int) and taps > 1 and (taps - 1) * (low + high) / 2 >= BORDER * taps * extent:
            border[axis] = (low, high)
    return make(node.op.name, *node.inputs, **{**node.attrs, "border": tuple(border)}) if any(map(any, border)) else None

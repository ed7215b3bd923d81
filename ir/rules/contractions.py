"""Contractions, convolutions and windows: transposes absorbed, degenerate cases made simpler."""

from __future__ import annotations

from typing import Any

from ..patterns import Attr, Equation, Pat, derive, p
from ..rewrite import rule
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


def _is_dense(w: Any, s: Any, g: Any) -> bool:
    return g == 1 and all(i == 1 for i in s) and all(d == 1 for d in w.shape[:-2])


@rule(where=_is_dense, close=True,
      examples=({"x": "f32[B, 4, 5, 3]", "w": "f32[1, 1, 3, 2]", "s": (1, 1), "d": (1, 1), "g": 1},
                {"x": "f32[B, 4, 3]", "w": "f32[1, 3, 2]", "s": (1,), "d": (2,), "g": 1}))
def pointwise_conv(x: Pat, w: Pat, s: Attr, d: Attr, g: Attr) -> Equation:
    """A kernel of one pixel mixes channels only."""
    return (p.conv(x, w, strides=s, dilation=d, groups=g),
            p.dot(x, p.reshape(w, shape=derive(lambda w: w.shape[-2:], w)), batch=NONE,
                  contract=derive(lambda x: ((x.rank - 1,), (0,)), x)))


@rule(where=lambda window, s: all(i == 1 for i in (*window, *s)), examples=({"x": "f32[B, 4, 5, 3]", "window": (1, 1), "s": (1, 1)},))
def sum_of_single_windows(x: Pat, window: Attr, s: Attr) -> Equation:
    return p.window_sum(x, window=window, strides=s), x


@rule(where=lambda window, s: all(i == 1 for i in (*window, *s)), examples=({"x": "f32[B, 4, 5, 3]", "window": (1, 1), "s": (1, 1)},))
def maximum_of_single_windows(x: Pat, window: Attr, s: Attr) -> Equation:
    return p.window_max(x, window=window, strides=s), x

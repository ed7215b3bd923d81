"""What only a gradient needs, and what backward passes leave behind."""

from __future__ import annotations

from ..patterns import Attr, Equation, Pat, p
from ..rewrite import rule

MASKS = ({"c": "bool[2, 3]", "x": "f32[2, 3]", "y": "f32[2, 3]"}, {"c": "bool[4]", "x": "f64[4]", "y": "f64[4]"})


@rule()
def stop_gradient_after_differentiation(x: Pat) -> Equation:
    """simplify leaves it in a graph that still holds a gradient."""
    return p.stop_gradient(x), x


@rule(inexact=True, examples=MASKS)
def add_of_complementary_masks(c: Pat, x: Pat, y: Pat) -> Equation:
    """The cotangents of both branches of a select, given to one value. Only -0.0 comes out differently."""
    return p.select(c, x, 0) + p.select(c, 0, y), p.select(c, x, y)


@rule(examples=MASKS)
def add_of_equal_masks(c: Pat, x: Pat, y: Pat) -> Equation:
    return p.select(c, x, 0) + p.select(c, y, 0), p.select(c, x + y, 0)


@rule(inexact=True, examples=MASKS)
def product_of_masked(c: Pat, x: Pat, y: Pat) -> Equation:
    """The mask moves outwards: what it cuts is 0 even where the other factor is infinite or a NaN."""
    return p.select(c, x, 0) * y, p.select(c, x * y, 0)


@rule(examples=({"v": "f32[2, 4, 6, 3]", "dy": "f32[2, 2, 3, 3]", "w": (2, 2), "s": (2, 2)},
                {"v": "f64[2, 5, 3]", "dy": "f64[2, 3, 3]", "w": (3,), "s": (1,)}))
def relu_after_pooling(v: Pat, dy: Pat, w: Attr, s: Attr) -> Equation:
    """The position that gets a window's cotangent holds its maximum: whether that was cut off is asked of the maximum."""
    x = p.maximum(0, v)
    y = p.window_max(x, window=w, strides=s)
    return (p.select(p.ge(0, v), 0, p.window_max_grad(x, y, dy, window=w, strides=s)),
            p.window_max_grad(x, y, p.select(p.ge(0, y), 0, dy), window=w, strides=s))

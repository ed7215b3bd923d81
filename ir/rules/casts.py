"""Casts that lose nothing, and chains of them."""

from __future__ import annotations

from ..patterns import Attr, Equation, Pat, p
from ..rewrite import rule
from .families import holds_all


@rule(where=lambda x, d: x.dtype == d, examples=({"x": "f32[2, 3]", "d": "f32"}, {"x": "bool[2]", "d": "bool"}))
def cast_to_own_type(x: Pat, d: Attr) -> Equation:
    return p.cast(x, dtype=d), x


@rule(where=lambda x, wide: holds_all(wide, x.dtype),
      examples=({"x": "f16[2, 3]", "wide": "f32", "d": "f64"}, {"x": "bf16[4]", "wide": "f32", "d": "bf16"},
                {"x": "i8[4]", "wide": "i32", "d": "f32"}, {"x": "bool[4]", "wide": "f32", "d": "i32"},
                {"x": "f32[4]", "wide": "f64", "d": "bool"}, {"x": "i32[4]", "wide": "f64", "d": "f32"}))
def cast_through_wider(x: Pat, wide: Attr, d: Attr) -> Equation:
    """Also back to the first type, where the whole chain goes."""
    return p.cast(p.cast(x, dtype=wide), dtype=d), p.cast(x, dtype=d)

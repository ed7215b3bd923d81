"""Stores of a vector to places a few elements apart, where masks are free: as many masked stores of whole vectors as lie between the first
and the last, each of what lands in it. A scatter takes several instructions for each lane."""

from __future__ import annotations

from ...ir.types import DimLike, DType
from ..text_builder import Writer
from .memory import known_mask, mask_text, store_masked

MOST = 8  # elements apart


def spread(terms: list[tuple[str, DimLike]], count: int) -> int:
    """How many elements the lanes are apart in an index; 0 where that is not known, or too many."""
    apart = terms[0][1] if len(terms) == 1 else 0
    return apart if isinstance(apart, int) and 2 <= apart <= min(MOST, count) else 0


def write_spread(w: Writer, dtype: DType, value: tuple[str, str], count: int, apart: int, where: str, mask: str) -> None:
    """Stores the lanes of `value`, a text and its type, that the mask tells ('' for all)."""
    text, wide = value
    element = wide.removesuffix(">").split(" x ")[1]
    live = known_mask(mask, count)
    for part in range(apart):
        lanes = [(part * count + n) // apart if (part * count + n) % apart == 0 else None for n in range(count)]
        if not any(lane is not None for lane in lanes):
            continue
        moved = w.value(f"shufflevector {wide} {text}, {wide} poison, {_order(['poison' if n is None else str(n) for n in lanes])}")
        here = mask_text(n is not None and live[n] for n in lanes) if live is not None else \
            w.value(f"shufflevector <{count} x i1> {mask}, <{count} x i1> zeroinitializer, "
                    f"{_order([str(count if n is None else n) for n in lanes])}")
        place = w.value(f"getelementptr {element}, ptr {where}, i64 {part * count}") if part else where
        store_masked(w, dtype, wide, moved, place, here)


def _order(lanes: list[str]) -> str:
    return f"<{len(lanes)} x i32> <{', '.join(f'i32 {n}' for n in lanes)}>"

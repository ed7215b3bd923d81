"""The arena: one block of memory for all temps of a step, those that are alive at the same time side by side."""

from __future__ import annotations

from bisect import insort
from collections.abc import Mapping

from .program import Buffer, Lifetime
from .types import evaluate_dim

ALIGNMENT = 64


def layout_arena(buffers: Mapping[str, Buffer], lifetimes: Mapping[str, Lifetime],
                 symbols: Mapping[str, int]) -> tuple[dict[str, int], int]:
    """Byte offsets of the temps and the arena's size for these symbol values."""
    sizes: dict[str, int] = {}
    for name in lifetimes:
        type_ = buffers[name].type
        count = 1
        for dim in type_.shape:
            count *= evaluate_dim(dim, symbols)
        sizes[name] = count * type_.dtype.size
    return first_fit(sizes, lifetimes)


def first_fit(sizes: Mapping[str, int], lifetimes: Mapping[str, Lifetime]) -> tuple[dict[str, int], int]:
    """Offsets of so many bytes each, in order of size, and how many bytes hold them all; what is never alive together may share them."""
    rounded = {name: -(-size // ALIGNMENT) * ALIGNMENT for name, size in sizes.items()}
    placed: list[tuple[int, int, int, int]] = []  # (start, end, first, last), by start
    offsets: dict[str, int] = {}
    total = 0
    for name in sorted(rounded, key=lambda b: (-rounded[b], lifetimes[b].first, b)):
        begin, until, size = lifetimes[name].first, lifetimes[name].last, rounded[name]
        offset = 0
        for start, end, first, last in placed:
            if first <= until and begin <= last:
                if offset + size <= start:
                    break
                if end > offset:
                    offset = end
        offsets[name] = offset
        insort(placed, (offset, offset + size, begin, until))
        total = max(total, offset + size)
    return offsets, total

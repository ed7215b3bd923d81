"""The arena: one block of memory for all temps of a step, those that are alive at the same time side by side."""

from __future__ import annotations

from collections.abc import Mapping

from .program import Buffer, Lifetime
from .types import evaluate_dim

ALIGNMENT = 64


def layout_arena(buffers: Mapping[str, Buffer], lifetimes: Mapping[str, Lifetime],
                 symbols: Mapping[str, int]) -> tuple[dict[str, int], int]:
    """Byte offsets of the temps, first-fit in order of size, and the arena's size for these symbol values."""
    sizes: dict[str, int] = {}
    for name in lifetimes:
        type_ = buffers[name].type
        count = 1
        for dim in type_.shape:
            count *= evaluate_dim(dim, symbols)
        sizes[name] = -(-count * type_.dtype.size // ALIGNMENT) * ALIGNMENT
    placed: list[tuple[int, int, Lifetime]] = []
    offsets: dict[str, int] = {}
    total = 0
    for name in sorted(sizes, key=lambda b: (-sizes[b], lifetimes[b].first, b)):
        life = lifetimes[name]
        offset = 0
        for start, end, _ in sorted((p for p in placed if p[2].first <= life.last and life.first <= p[2].last), key=lambda p: p[0]):
            if offset + sizes[name] <= start:
                break
            offset = max(offset, end)
        offsets[name] = offset
        placed.append((offset, offset + sizes[name], life))
        total = max(total, offset + sizes[name])
    return offsets, total

"""Lines that are a power of two apart share a few places of a cache, and push each other out of it."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable

from ..ir.types import DimLike
from .target import LINE, Target

WAY = 4096  # bytes of the first-level cache after which addresses have the same place again; it holds several lines in each place


def room_for(apart: int, target: Target) -> int:
    """How many lines so many bytes apart the first-level cache holds."""
    places = min(WAY // math.gcd(apart, WAY), WAY // LINE)
    return places * (target.l1 // WAY)


def crowded(count: int, apart: DimLike, target: Target) -> bool:
    """Whether the first-level cache does not hold `count` lines so many bytes apart, though it is large enough."""
    return isinstance(apart, int) and apart != 0 and count > room_for(apart, target)


def crowd(places: Iterable[int], target: Target) -> bool:
    """Whether more lines than the first-level cache holds in a place have the same one, of those at so many bytes from the first."""
    lines = {place // LINE for place in places}
    return max(Counter(line % (WAY // LINE) for line in lines).values(), default=0) > target.l1 // WAY

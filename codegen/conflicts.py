"""Lines that are a power of two apart share a few places of a cache, and push each other out of it."""

from __future__ import annotations

import math

from ..ir.types import DimLike
from .schedule.ahead import LINE
from .target import Target

WAY = 4096  # bytes of the first-level cache after which addresses have the same place again; it holds several lines in each place


def crowded(count: int, apart: DimLike, target: Target) -> bool:
    """Whether the first-level cache does not hold `count` lines so many bytes apart, though it is large enough."""
    if not isinstance(apart, int) or not apart:
        return False
    places = min(WAY // math.gcd(apart, WAY), WAY // LINE)
    return count > places * (target.l1 // WAY)

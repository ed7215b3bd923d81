"""What convolutions and windows share: extents, positions of a window, phases of a strided adjoint.

An adjoint with stride s writes input position s*q + p, q = 0, 1, ...: for each phase p < s only some taps of the kernel
reach it, an arithmetic progression k = first, first + step, ..., and tap t of them reads output position q + shift - t*back.
Where the input was padded by `low` zeros, whose gradient nobody wants, input position 0 is position `low` of what the kernel saw.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from typing import Any

from kcompile.common.struct import struct

from ..scalar import Aff
from ..types import DimLike, Shape
from . import check

SPATIAL_NAMES = ("z", "y", "x")


def spatial_names(count: int, prefix: str = "") -> list[str]:
    """x; y, x; z, y, x: with a prefix for the axes of a kernel or of phases."""
    if count > len(SPATIAL_NAMES):
        return [f"{prefix}s{n}" for n in range(count)]
    return [prefix + name for name in SPATIAL_NAMES[len(SPATIAL_NAMES) - count:]]


def window_count(op: str, extent: DimLike, window: int, stride: int, dilation: int = 1) -> DimLike:
    """How many windows fit into an extent. Raises TypeError where none does."""
    reach = (window - 1) * dilation + 1
    if isinstance(extent, int) and extent < reach:
        check.reject(op, f"a spatial extent of at least {reach}", extent)
    return floor_quotient(extent - reach, stride) + 1


def floor_quotient(dim: DimLike, divisor: int) -> DimLike:
    """floor(dim / divisor), where the symbolic part of the dimension is a multiple of it. Raises DimError elsewhere."""
    if isinstance(dim, int):
        return dim // divisor
    known = dict(dim.terms).get((), 0)
    return (dim - known) // divisor + known // divisor


def positions(window: Sequence[int]) -> Iterator[tuple[int, ...]]:
    """Every position in a window, in row-major order."""
    return itertools.product(*(range(k) for k in window))


def strided(position: Sequence[int], strides: Sequence[int], dilation: Sequence[int], counts: Sequence[int]) -> tuple[Any, ...]:
    """numpy index of [N, spatial.., C] that selects, for every window, its element at `position`."""
    inner = tuple(slice(p * d, p * d + (n - 1) * s + 1, s) for p, s, d, n in zip(position, strides, dilation, counts, strict=True))
    return (slice(None), *inner, slice(None))


@struct(frozen=True)
class Phase:
    """Input positions stride*q + offset for q < count; tap t < taps is kernel position first + t*step, and reads output
    position q + shift - t*back."""

    offset: int
    stride: int
    count: DimLike
    taps: int
    first: int
    step: int
    shift: int
    back: int

    def target(self, variable: str) -> Aff:
        return Aff.of({variable: self.stride}, self.offset)

    def source(self, variable: str, tap: Aff) -> Aff:
        return Aff.of(variable) + tap * -self.back + self.shift

    @property
    def lowest(self) -> int:
        """The lowest output position that any tap reads."""
        return self.shift - (self.taps - 1) * self.back

    @property
    def beyond(self) -> DimLike:
        """One past the highest output position that any tap reads."""
        return self.count + self.shift

    def reaches_past(self, extent: DimLike) -> bool:
        """Whether some tap reads outside `extent` output positions."""
        over = self.beyond - extent
        return self.lowest < 0 or not isinstance(over, int) or over > 0

    def outside(self, extent: DimLike) -> tuple[int, int]:
        """Of the pairs of a position and a tap, how many read outside `extent` output positions, and how many there are; (0, 0)
        where that is not known."""
        if not isinstance(extent, int) or not isinstance(self.count, int):
            return 0, 0
        places = [q + self.shift - t * self.back for q in range(self.count) for t in range(self.taps)]
        return sum(not 0 <= place < extent for place in places), len(places)


def phases(extent: DimLike, window: int, stride: int, dilation: int = 1, low: int = 0) -> list[Phase]:
    """The phases of one spatial axis of an adjoint, behind `low` positions of padding; only those with a position in `extent`."""
    found = []
    common = math.gcd(stride, dilation)
    step = stride // common
    for offset in range(stride):
        count = _phase_count(extent, offset, stride)
        if count == 0:
            continue
        first = next((k for k in range(min(step, window)) if (k * dilation - offset - low) % stride == 0), None)
        if first is None:
            found.append(Phase(offset, stride, count, 0, 0, step, 0, 0))
        else:
            taps = -(-(window - first) // step)
            found.append(Phase(offset, stride, count, taps, first, step, (offset + low - first * dilation) // stride, dilation // common))
    return found


def _phase_count(extent: DimLike, offset: int, stride: int) -> DimLike:
    count = floor_quotient(extent - offset + stride - 1, stride)
    return max(0, count) if isinstance(count, int) else count


def spatial_of(shape: Shape) -> Shape:
    """The extents between the first axis and the last."""
    return shape[1:-1]

"""How many trips the parallel loops of a kernel have: what threads share."""

from __future__ import annotations

from collections.abc import Mapping

from kcompile.common.struct import struct

from ..ir.types import DimLike, evaluate_dim


@struct(frozen=True)
class Trips:
    """Number of trips of the parallel loops: the product of ceilings of extent / step."""

    factors: tuple[tuple[DimLike, int], ...] = ()

    def evaluate(self, bindings: Mapping[str, int]) -> int:
        total = 1
        for extent, step in self.factors:
            total *= -(-evaluate_dim(extent, bindings) // step)
        return total

    def __str__(self) -> str:
        parts = [f"ceil({extent} / {step})" if step != 1 else f"({extent})" for extent, step in self.factors]
        return " * ".join(parts) or "1"

"""An estimate of a step's work, to decide whether threads would help."""

from __future__ import annotations

from ..ir.program import Program
from ..ir.scalar import SCALAR_OPS, Apply, Load, walk
from ..ir.types import DimLike, f32, product
from .target import Target


def estimate(program: Program, target: Target) -> list[tuple[DimLike, float]]:
    """(points, vector instructions a point) for each equation: StepCode.instructions sums the products."""
    lanes = target.lanes(f32)
    out: list[tuple[DimLike, float]] = []
    for step in program.steps:
        for equation in step.kernel.equations:
            cost = 1.0
            for e in walk(equation.expr):
                if isinstance(e, Apply):
                    cost += SCALAR_OPS[e.fn].cost
                elif isinstance(e, Load):
                    cost += 1
            out.append((product(step.kernel.axes[a] for a in equation.axes), cost / lanes))
    return out

"""An estimate of a step's work, to decide whether threads would help."""

from __future__ import annotations

from ..ir.program import Program
from ..ir.types import DimLike, f32, product
from .target import Target


def estimate(program: Program, target: Target) -> list[tuple[DimLike, float]]:
    """(points, vector instructions a point), equations over as many points together: StepCode.instructions sums the products."""
    lanes = target.lanes(f32)
    found: dict[DimLike, float] = {}
    for step in program.steps:
        axes = step.kernel.axes
        over: dict[tuple[str, ...], DimLike] = {}  # most equations of a kernel have the same axes
        for equation in step.kernel.equations:
            points = over.get(equation.axes)
            if points is None:
                points = over[equation.axes] = product([axes[a] for a in equation.axes])
            found[points] = found.get(points, 0.0) + (1.0 + equation.cost) / lanes
    return list(found.items())

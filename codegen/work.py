"""An estimate of a step's work, to decide whether threads would help."""

from __future__ import annotations

from collections.abc import Sequence

from ..ir.kernel import Kernel
from ..ir.program import Program
from ..ir.types import DimLike, f32, product
from .step import KernelCall
from .target import Target


def estimate(program: Program, calls: Sequence[KernelCall], target: Target) -> list[tuple[DimLike, float]]:
    """(points, vector instructions a point), equations over as many points together: StepCode.instructions sums the products. `calls`: of
    the steps, those of equal kernels call the same code."""
    lanes = target.lanes(f32)
    found: dict[DimLike, float] = {}
    known: dict[str, list[tuple[DimLike, int]]] = {}
    for step, call in zip(program.steps, calls, strict=True):
        work = known.get(call.kernel.name)
        if work is None:
            work = known[call.kernel.name] = _work(step.kernel)
        for points, cost in work:
            found[points] = found.get(points, 0.0) + (1.0 + cost) / lanes
    return list(found.items())


def _work(kernel: Kernel) -> list[tuple[DimLike, int]]:
    """The points and the cost of each equation."""
    over: dict[tuple[str, ...], DimLike] = {}  # most equations of a kernel have the same axes
    found: list[tuple[DimLike, int]] = []
    for equation in kernel.equations:
        points = over.get(equation.axes)
        if points is None:
            points = over[equation.axes] = product([kernel.axes[a] for a in equation.axes])
        found.append((points, equation.cost))
    return found

"""Which params are read row by row, each row through a table of addresses.

The loop over batches (codegen/loop.py) takes shuffled rows from all over the caller's array. To copy them to one place before each step
costs more than it seems: the step has driven that place out of the caches, and what one core has copied the other one has to fetch from
it. Products read a row many times, one element after the other; they can as well read it where it lies, if they are told where.

So a matrix [B, n] that a step which trains multiplies, and does nothing else with, is given as a table of B addresses. Short rows are
copied in no time, and stay one stretch of memory.
"""

from __future__ import annotations

from kcompile.common.struct import replace

from ..program import LEARNED, Program, Step
from ..row_tables import suits_table
from ..types import Dim, f32

LEAST_ROW = 1024  # bytes
WHY = "row by row: products read each row where the caller has it, or where it was cast, through a table of addresses"

GATHERED = "rows that are shuffled or cast are gathered before a step: "


def by_row(program: Program) -> Program:
    """The program with the params for which that pays, and can be, read through tables of rows."""
    if not any(program.buffers[a].role in LEARNED for step in program.steps for a in map(program.root, step.kernel.writes)):
        return program
    fit = {b.name for b in program.buffers.values() if b.kind == "param" and b.type.dtype == f32 and b.type.shape
           and b.type.shape[0] == Dim.symbol("B") and _row_bytes(b.type.shape[1:]) >= LEAST_ROW}
    fit -= {program.root(name) for name in program.outputs.values()}
    used = {program.root(a) for step in program.steps for a in step.kernel.arrays}
    why = dict.fromkeys(sorted(fit & used), WHY)
    for step in program.steps:
        for array in step.kernel.arrays:
            name = program.root(array)
            if name in fit and (step.kept or not suits_table(step.kernel, array)):
                why[name] = GATHERED + f"{step.kernel.name} does not take them as a matrix to be multiplied"
                fit.remove(name)
    fit &= used
    if not why:
        return program

    def told(step: Step) -> Step:
        arrays = tuple([a for a in step.kernel.arrays if program.root(a) in fit])
        return replace(step, kernel=replace(step.kernel, by_row=arrays)) if arrays else step
    buffers = {name: replace(b, why=why[name]) if name in why else b for name, b in program.buffers.items()}
    return replace(program, buffers=buffers, steps=tuple([told(step) for step in program.steps]))


def gathered(program: Program, array: str, kernel: str) -> Program:
    """The program with the rows of a param gathered after all, since in a kernel's code an element's row is not told."""
    name = program.root(array)

    def told(step: Step) -> Step:
        left = tuple([a for a in step.kernel.by_row if program.root(a) != name])
        return step if left == step.kernel.by_row else replace(step, kernel=replace(step.kernel, by_row=left))
    buffer = replace(program.buffers[name], why=GATHERED + f"in the loops of {kernel} no index tells them from columns")
    return replace(program, buffers={**program.buffers, name: buffer}, steps=tuple([told(step) for step in program.steps]))


def _row_bytes(shape: tuple[int | Dim, ...]) -> int:
    """Of float32; 0 where a row has no known length."""
    total = 4
    for extent in shape:
        total *= extent if isinstance(extent, int) else 0
    return total

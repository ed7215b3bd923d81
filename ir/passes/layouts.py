"""Where matrices that a step trains lie in memory: row by row, or in panels of some columns, one after the other.

A dense layer's product takes some columns of its weight at a time, and so does the gradient that its optimizer applies. Row by row, such a
panel is a piece of 128 bytes of each of many rows, which no prefetcher follows and which fight for a few sets of the caches: it has to be
copied before it is used, or waited for. In panels all that a tile reads and writes, of the weight and of the optimizer's slots, is one
stretch of memory.

What lies in panels is a state of the step, which the caller puts into that order before the first call and takes out of it when somebody
wants to look (`Buffer.stored`; kcompile/variables.py). Kernels say the same as before (../panels.py).
"""

from __future__ import annotations

from kcompile.common.struct import replace

from ..kernel import REDUCE
from ..panels import in_columns
from ..program import COLUMNS, LEARNED, Program, Step, suits_panels


def in_panels(program: Program, columns: int = COLUMNS) -> Program:
    """The program with the states in panels of so many columns for which that pays, and can be: large matrices that some kernel multiplies
    and sums, and what an update writes beside them, where every kernel goes through them row by row and column by column."""
    if not columns:
        return program
    written = {program.root(a) for step in program.steps for a in step.kernel.writes}
    if not any(program.buffers[name].role in LEARNED for name in written):
        return program
    fit = {name for name, buffer in program.buffers.items() if buffer.kind == "state" and name in written and suits_panels(buffer.type)}
    fit -= {program.root(b.of) for b in program.buffers.values() if b.kind == "view"}
    for step in program.steps:
        fit -= {program.root(a) for a in step.kernel.arrays if program.root(a) in fit and not in_columns(step.kernel, a, columns)}
    used = [{program.root(a) for a in step.kernel.arrays} for step in program.steps]
    multiplied = fit & {program.root(load.array) for step in program.steps for q in step.kernel.equations if q.kind == REDUCE
                        for load in q.loads if len(q.loads) > 1}
    chosen = multiplied | {name for names in used if names & multiplied for name in names & fit}
    if not chosen:
        return program

    def why(name: str) -> str:
        if name in multiplied:
            return "in panels: products and their updates take some of its columns at a time"
        beside = next(other for names in used if name in names for other in sorted(names & multiplied))
        return f"in panels, as {beside} that it is updated with"
    buffers = {name: replace(b, panels=columns, why=why(name)) if name in chosen else b for name, b in program.buffers.items()}

    def told(step: Step) -> Step:
        panels = {a: columns for a in step.kernel.arrays if program.root(a) in chosen}
        return replace(step, kernel=replace(step.kernel, panels=panels)) if panels else step
    return replace(program, buffers=buffers, steps=tuple([told(step) for step in program.steps]))

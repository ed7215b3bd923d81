"""Calls that go through the samples of a batch together: a few samples through all of them, then the next few.

What a call writes of a sample the next one then reads from the second-level cache, where it would come from memory after a whole batch;
and no thread waits for another in between. The planner says between which steps that is right (`Step.along`); whether it can be done
depends on the schedules, whose trips have to be cut where samples end.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from ..ir.program import Program
from ..ir.types import Dim, evaluate_dim, is_static
from .nest import Let, Loop, Nest
from .step import KernelCall
from .target import Target


def trips_of_a_sample(nest: Nest) -> int:
    """How many trips of the loops that threads share belong to a sample, if they come one after the other; 0 where a trip may be of two
    samples, and where a call copies an operand before the first trip, which it had better not do for a few samples."""
    rest = [s for s in nest.body if not isinstance(s, Let)]
    outer = nest.trips.factors[:1]
    if len(rest) != 1 or not isinstance(rest[0], Loop) or not rest[0].parallel or not all(is_static(n) for n, _ in nest.trips.factors[1:]):
        return 0
    (extent, step), = outer
    if not isinstance(extent, Dim) or len(extent.terms) != 1 or len(extent.terms[0][0]) != 1:
        return 0
    rows = extent.terms[0][1]
    unit = rows // step
    for inner, by in nest.trips.factors[1:]:
        unit *= -(-int(str(inner)) // by)
    return unit if rows % step == 0 else 0


def joined(program: Program, calls: Sequence[KernelCall], target: Target) -> tuple[KernelCall, ...]:
    """The calls of the program's steps, those that go through the samples together marked as such. Where a step should go along with
    others and cannot, threads meet before it."""
    out = list(calls)
    run: list[int] = []
    for n, step in enumerate(program.steps):
        if not step.along:
            continue
        follows = bool(run) and not any(s.barrier for s in program.steps[run[-1] + 1:n + 1])
        if follows and (run[-1] != n - 1 or not all(calls[m].kernel.unit for m in (*run, n))):
            out[n] = replace(out[n], barrier=True)
            follows = False
        if not follows:
            _join(program, out, run, target)
            run = []
        run.append(n)
    _join(program, out, run, target)
    return tuple(out)


def _join(program: Program, calls: list[KernelCall], run: Sequence[int], target: Target) -> None:
    if len(run) > 1:
        most = max(1, target.l2 // 2 // max(1, _sample_bytes(program, (calls[n] for n in run))))
        for n in run:
            calls[n] = replace(calls[n], together=len(run) if n == run[0] else 0, samples=most)


def _sample_bytes(program: Program, calls: Iterable[KernelCall]) -> int:
    """What the calls read and write of a sample."""
    roots = {program.root(array) for call in calls for array in call.arrays if array in program.buffers}
    sizes = [program.buffers[root].type for root in roots]
    return sum(evaluate_dim(t.size, dict.fromkeys(t.symbols, 1)) * t.dtype.size for t in sizes if not is_static(t.size))

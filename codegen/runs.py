"""Calls that go through the samples of a batch together: a few samples through all of them, then the next few.

What a call writes of a sample the next one then reads from the second-level cache, where it would come from memory after a whole batch;
and no thread waits for another in between. The planner says between which steps that is right (`Step.along`); whether it can be done
depends on the schedules, whose trips have to be cut where samples end.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from kcompile.ir.struct import replace

from ..ir.program import Program
from ..ir.types import Dim, TensorType, evaluate_dim, is_static
from .arena import ALIGNMENT
from .nest import Let, Loop, Nest
from .runtime.layout import MOST_ARGS, MOST_ASKED
from .step import KernelCall
from .target import Target

WORKING = 0.9  # of the second-level cache, for the samples that calls are at and for those that they ask for
LEAST_ASKED = 4096  # bytes of a sample: less comes by itself
PRIVATE_ROOM = 512 << 10  # of a thread's stack


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
    users: dict[str, set[int]] = {}
    for n, step in enumerate(program.steps):
        for array in step.kernel.arrays:
            users.setdefault(program.root(array), set()).add(n)
    for n, step in enumerate(program.steps):
        if not step.along:
            continue
        follows = bool(run) and not any(s.barrier for s in program.steps[run[-1] + 1:n + 1])
        if follows and (run[-1] != n - 1 or not all(calls[m].kernel.unit for m in (*run, n))):
            out[n] = replace(out[n], barrier=True)
            follows = False
        if not follows:
            _join(program, out, run, users, target)
            run = []
        run.append(n)
    _join(program, out, run, users, target)
    return tuple(out)


def _join(program: Program, calls: list[KernelCall], run: Sequence[int], users: Mapping[str, set[int]], target: Target) -> None:
    if len(run) < 2:
        return
    most = max(1, target.l2 // 2 // max(1, _sample_bytes(program, (calls[n] for n in run))))
    places = _private(program, run, users, most)
    asked = _asked(program, calls, run, target, most)
    for n in run:
        roots = [program.root(array) if array in program.buffers else "" for array in calls[n].arrays]
        own = tuple([(at, *places[root]) for at, root in enumerate(roots) if root in places])
        calls[n] = replace(calls[n], together=len(run) if n == run[0] else 0, samples=most, private=own, asked=asked)


def _private(program: Program, run: Sequence[int], users: Mapping[str, set[int]], samples: int) -> dict[str, tuple[int, int]]:
    """Temps that no call outside of the run sees: the bytes of a sample, and where in a thread's own memory so many of them begin."""
    inside = set(run)
    if any(len(program.steps[n].kernel.arrays) > MOST_ARGS for n in run):
        return {}
    found: dict[str, tuple[int, int]] = {}
    place = 0
    for root in dict.fromkeys(program.root(array) for n in run for array in program.steps[n].kernel.arrays):
        buffer = program.buffers[root]
        if buffer.kind == "temp" and users[root] <= inside and not is_static(buffer.type.size):
            size = _of_a_sample(buffer.type)
            if place + samples * size <= PRIVATE_ROOM:
                found[root] = size, place
                place += -(-samples * size // ALIGNMENT) * ALIGNMENT
    return found


def _asked(program: Program, calls: Sequence[KernelCall], run: Sequence[int], target: Target,
           samples: int) -> tuple[tuple[int, int], ...]:
    """What the calls read of a sample, and have not made: the word of the frame with an array's address, and its bytes. As much as the
    second-level cache holds beside the samples that they are at."""
    found: dict[str, tuple[int, int]] = {}
    known: set[str] = set()
    room = int(target.l2 * WORKING) // samples - _sample_bytes(program, (calls[n] for n in run))
    if any(len(program.steps[n].kernel.arrays) > MOST_ARGS for n in run):
        return ()
    for n in run:
        for at, array in enumerate(program.steps[n].kernel.arrays):
            root = program.root(array)
            kind = program.buffers[root].type
            if root in known or array not in program.steps[n].kernel.reads or is_static(kind.size) or len(found) == MOST_ASKED:
                continue
            size = _of_a_sample(kind)
            if root not in found and size >= LEAST_ASKED and size <= room:
                found[root] = calls[n].args_word + at, size
                room -= size
        known |= {program.root(array) for array in program.steps[n].kernel.arrays}
    return tuple(found.values())


def _sample_bytes(program: Program, calls: Iterable[KernelCall]) -> int:
    """What the calls read and write of a sample."""
    roots = {program.root(array) for call in calls for array in call.arrays if array in program.buffers}
    types = [program.buffers[root].type for root in roots]
    return sum(_of_a_sample(t) for t in types if not is_static(t.size))


def _of_a_sample(kind: TensorType) -> int:
    return int(evaluate_dim(kind.size, dict.fromkeys(kind.symbols, 1)) * kind.dtype.size)

"""Calls that go through the samples of a batch together: a few samples through all of them, then the next few.

What a call writes of a sample the next one then reads from the second-level cache, where it would come from memory after a whole batch;
and no thread waits for another in between. The planner says between which steps that is right (`Step.along`); whether it can be done
depends on the schedules, whose trips have to be cut where samples end.
"""

from __future__ import annotations

import itertools
from collections.abc import Container, Iterable, Mapping, Sequence

from kcompile.common.struct import replace

from ..ir.arena import first_fit
from ..ir.program import Lifetime, Program
from ..ir.types import Dim, TensorType, dim_symbols, evaluate_dim, is_static
from .access import TYPICAL, expr_cost, guess
from .claimed import claimed_inside, shared_loops
from .nest import VECTOR, Errand, Let, Loop, Nest, Stmt, stmt_expr
from .runtime.layout import MOST_ARGS, MOST_ASKED
from .step import KernelCall
from .target import LINE, Target

WORKING = 0.9  # of the second-level cache, for what calls use of the samples that they are at and for what they ask for of the next ones
LEAST_ASKED = 4096  # bytes of a sample: less comes by itself
WORTH_A_CALL = 40_000  # vector instructions: some microseconds, of which a line that goes from one core to another takes some hundredths
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


def trips_worth_a_call(nest: Nest) -> int:
    """The least trips of the loops that threads share which are worth a call of their own, or to be claimed inside of one; 0 where
    a call does something else, too, or several trips at once, and cannot claim them when it comes to them."""
    rest = [s for s in nest.body if not isinstance(s, Let)]
    alone = len(rest) == 1 and isinstance(rest[0], Loop) and rest[0].parallel
    shared = shared_loops(nest)
    if (not alone and not claimed_inside(nest)) or any(loop.takes for loop in shared):
        return 0
    return max(1, round(WORTH_A_CALL / max(1, _instructions(shared[-1].body))))


def cost_of_a_trip(nest: Nest) -> int:
    """Rough vector instructions of a trip of the loops that threads share, and of what a call does beside them for each."""
    trips = nest.trips.evaluate(dict.fromkeys(nest.symbols, TYPICAL))
    return _instructions(nest.body) // max(1, trips)


def _instructions(body: Sequence[Stmt]) -> int:
    """Rough vector instructions of one execution of a body."""
    total = 0
    for stmt in body:
        if isinstance(stmt, Loop):
            total += _instructions(stmt.body) * (1 if stmt.mode == VECTOR else -(-guess(stmt.extent) // stmt.step))
        else:
            expr = stmt_expr(stmt)
            total += expr_cost(expr) if expr is not None else 1
    return total


def asked_in_a_sample(nest: Nest) -> int:
    """For how many lines of what its thread will do next a kernel asks while it goes through a sample."""
    def lines(body: Sequence[Stmt]) -> int:
        total = 0
        for stmt in body:
            if isinstance(stmt, Loop):
                extent = evaluate_dim(stmt.extent, dict.fromkeys(dim_symbols(stmt.extent), 1))
                trips = -(-extent // stmt.step)
                total += trips * lines(stmt.body) + sum(-(-trips // s.every) * s.lines for s in stmt.body if isinstance(s, Errand))
        return total
    return lines(nest.body)


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
    private = _private(program, run, users)
    working = _sample_bytes(program, (calls[n] for n in run), set(private)) + first_fit(*_lives(program, run, private, 1))[1]
    most = max(1, target.l2 // 2 // max(1, working))
    sizes, lifetimes = _lives(program, run, private, most)
    places = {root: (private[root], place) for root, place in first_fit(sizes, lifetimes)[0].items()
              if place + sizes[root] <= PRIVATE_ROOM}
    asked = _asked(program, calls, run, target, most, places)
    for n in run:
        roots = [program.root(array) if array in program.buffers else "" for array in calls[n].arrays]
        own = tuple([(at, *places[root]) for at, root in enumerate(roots) if root in places])
        calls[n] = replace(calls[n], together=len(run) if n == run[0] else 0, samples=most, private=own, asked=asked)


def _private(program: Program, run: Sequence[int], users: Mapping[str, set[int]]) -> dict[str, int]:
    """Temps that no call outside of the run sees, and the bytes of a sample of each: they may lie in a thread's own memory."""
    inside = set(run)
    if any(len(program.steps[n].kernel.arrays) > MOST_ARGS for n in run):
        return {}
    roots = dict.fromkeys(program.root(array) for n in run for array in program.steps[n].kernel.arrays)
    buffers = [program.buffers[root] for root in roots if users[root] <= inside]
    return {b.name: _of_a_sample(b.type) for b in buffers if b.kind == "temp" and not is_static(b.type.size)}


def _lives(program: Program, run: Sequence[int], private: Mapping[str, int],
           samples: int) -> tuple[dict[str, int], dict[str, Lifetime]]:
    """Of temps that are private: the bytes of so many samples, and from which call of the run to which they are needed."""
    lifetimes: dict[str, Lifetime] = {}
    for n in run:
        for root in {program.root(array) for array in program.steps[n].kernel.arrays} & private.keys():
            lifetimes[root] = Lifetime(lifetimes[root].first if root in lifetimes else n, n)
    return {root: samples * private[root] for root in lifetimes}, lifetimes


def _asked(program: Program, calls: Sequence[KernelCall], run: Sequence[int], target: Target,
           samples: int, private: Container[str]) -> tuple[tuple[int, int, int], ...]:
    """What the calls are the first to read or write of a sample, but for what lies in the thread's own memory: the word of the frame with
    an array's address, its bytes, and whether it is asked for of these samples (0) or of the next ones (1). Of these, where calls before
    the one that is the first to use it ask for so much; of the next ones as much as the second-level cache holds beside what the calls
    still use of these. A line is fetched before it is written, and a map waits for it as for what it reads; sums that ask do not."""
    if any(len(program.steps[n].kernel.arrays) > MOST_ARGS for n in run) or not any(calls[n].kernel.asks for n in run):
        return ()
    uses: dict[str, list[int]] = {}
    words: dict[str, int] = {}
    for k, n in enumerate(run):
        kernel = program.steps[n].kernel
        for at, array in enumerate(kernel.arrays):
            root = program.root(array)
            if root not in uses and root not in private and array not in kernel.by_row \
                    and (array in kernel.reads or not calls[n].kernel.asks):
                words[root] = calls[n].args_word + at
            if not is_static(program.buffers[root].type.size):
                uses.setdefault(root, []).append(k)
    sizes = {root: _of_a_sample(program.buffers[root].type) for root in uses}
    wanted = [root for root in uses if root in words and sizes[root] >= LEAST_ASKED]
    lines = list(itertools.accumulate((calls[n].kernel.asks for n in run), initial=0))  # that are asked for before each call
    these: list[str] = []
    for root in wanted:
        if sum(sizes[other] for other in (*these, root)) <= LINE * lines[uses[root][0]]:
            these.append(root)
    first = next(k for k, n in enumerate(run) if calls[n].kernel.asks)
    held = {root: range(first if root in these else at[0], at[-1] + 1) for root, at in uses.items()}
    room = int(target.l2 * WORKING) // samples - max(sum(sizes[root] for root in uses if k in held[root]) for k in range(first, len(run)))
    after: list[str] = []
    for root in wanted:
        if root not in these and sizes[root] <= room:
            after.append(root)
            room -= sizes[root]
    return tuple([(words[root], sizes[root], int(root in after)) for root in (*these, *after)][:MOST_ASKED])


def _sample_bytes(program: Program, calls: Iterable[KernelCall], private: set[str]) -> int:
    """What the calls read and write of a sample, beside what is private."""
    roots = {program.root(array) for call in calls for array in call.arrays if array in program.buffers} - private
    types = [program.buffers[root].type for root in roots]
    return sum(_of_a_sample(t) for t in types if not is_static(t.size))


def _of_a_sample(kind: TensorType) -> int:
    return int(evaluate_dim(kind.size, dict.fromkeys(kind.symbols, 1)) * kind.dtype.size)

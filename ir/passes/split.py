"""Program -> program in which long reductions to few results are cut by the batch: partial results, then their sum.

    reduce s[c] = add over n, y, x of t[n, y, x, c]
becomes
    store p[n, c] = add over y, x of t[n, y, x, c]          (parallel over n)
    reduce s[c] = add over n of p[n, c]

Where and how a sum is cut depends on shapes alone, so the bits do not depend on the number of threads.
"""

from __future__ import annotations

from kcompile.common.struct import replace

from ..fusion import local_names, tidy
from ..fusion_table import kind
from ..kernel import INDEX, LET, REDUCE, STORE, Eq, Kernel
from ..program import Buffer, Program, Step
from ..scalar import Aff, Load, Ref
from ..types import TensorType, dim_symbols, evaluate_dim, is_static, product

FEW_RESULTS = 4096  # with more, the results themselves give every thread enough to do
SOME_RESULTS = 16384  # not more, of arrays that kernels before have made: then all these go through the samples together (Step.along)
SEVERAL = 2  # times the results are read of each sample: less, and the partial results would cost too much
NEAR = 1 << 17  # elements of a sample at most, so that what every tile of the results reads stays in the second-level cache
LONG_ENOUGH = 64  # static elements to reduce for each partial result


def _axis_to_cut(kernel: Kernel, made: frozenset[str]) -> str | None:
    """The symbolic axis that every reduction of the kernel runs over first, if cutting there pays. `made`: what kernels write."""
    reduces = [q for q in kernel.equations if q.kind == REDUCE]
    if not reduces or any((q.free, q.over) != (reduces[0].free, reduces[0].over) for q in reduces):
        return None
    if kind(kernel) not in ("column", "total", "contract", "window"):
        return None
    symbolic = [a for a in reduces[0].over if not is_static(kernel.axes[a])]
    free, rest = (product(kernel.axes[a] for a in axes) for axes in (reduces[0].free, [a for a in reduces[0].over if a not in symbolic]))
    if len(symbolic) != 1 or not is_static(free) or not is_static(rest):
        return None
    few, long = int(free), int(rest)  # type: ignore[arg-type]
    some = few <= SOME_RESULTS and SEVERAL * few <= _read_of_a_sample(kernel, made) <= NEAR
    return symbolic[0] if (few <= FEW_RESULTS or some) and long >= LONG_ENOUGH else None


def _read_of_a_sample(kernel: Kernel, made: frozenset[str]) -> int:
    """Elements that the kernel reads of a row of the batch; 0 where not all of it has been made before."""
    batched = {array: kernel.arrays[array].size for array in kernel.reads if not is_static(kernel.arrays[array].size)}
    return sum(int(evaluate_dim(size, dict.fromkeys(dim_symbols(size), 1))) for size in batched.values()) if batched.keys() <= made else 0


def _cut(kernel: Kernel, axis: str, fresh: list[str]) -> tuple[Kernel, Kernel]:
    """The kernel of partial results and the kernel that combines them; `fresh` names the partial arrays."""
    first: list[Eq] = []
    second: list[Eq] = []
    arrays = dict(kernel.arrays)
    taken = local_names(kernel)
    names = iter(fresh)
    moved: set[str] = set()  # equations that live in the first kernel
    for q in kernel.equations:
        if q.kind == REDUCE:
            free = (axis, *q.free)
            partial = next(names)
            index = tuple(Aff.of(a) for a in free)
            arrays[partial] = TensorType(tuple(kernel.axes[a] for a in free), q.expr.dtype)
            inner = f"{q.name}_part"
            while inner in taken:
                inner += "_"
            taken.add(inner)
            first.append(replace(q, name=inner, free=free, over=tuple(a for a in q.over if a != axis)))
            first.append(Eq(STORE, partial, Ref(inner, q.expr.dtype), free, index=index))
            second.append(replace(q, expr=Load(partial, index, q.expr.dtype), over=(axis,)))
        elif axis in q.free:
            first.append(q)
            moved.add(q.name)
        else:
            second.append(q)
            if q.kind in (LET, INDEX):
                first.append(q)  # either side may need it; tidy drops it where it is not
    if any(_needs(q) & moved for q in second):
        raise AssertionError("an equation after the reduction reads one inside it")
    outermost = {axis: kernel.axes[axis], **kernel.axes}  # one row of the batch after the other: what it reads is in the cache then
    return (tidy(replace(kernel, equations=tuple(first), arrays=arrays, axes=outermost)),
            tidy(replace(kernel, equations=tuple(second), arrays=arrays)))


def _needs(q: Eq) -> frozenset[str]:
    """Equations (and axes) that one uses: by reference, or as a variable of an index."""
    return q.refs | q.variables.union(*(a.variables for a in q.index))


def _separable(kernel: Kernel, axis: str) -> bool:
    """Whether no equation outside the reductions both runs over the axis and needs a reduction's result, or the reverse."""
    reduced = {q.name for q in kernel.equations if q.kind == REDUCE}
    inside = {q.name for q in kernel.equations if axis in q.free and q.kind != STORE}
    tainted = set(reduced)
    for q in kernel.equations:
        if q.kind == REDUCE:
            if _needs(q) & tainted:
                return False
            continue
        if _needs(q) & tainted:
            if axis in q.free:
                return False
            if q.kind in (LET, INDEX):
                tainted.add(q.name)
        elif axis not in q.free and _needs(q) & inside:
            return False
    return True


def split(program: Program) -> Program:
    """Cut every reduction for which it pays."""
    buffers = dict(program.buffers)
    steps: list[Step] = []
    made = frozenset(array for step in program.steps for array in step.kernel.writes)
    for step in program.steps:
        axis = _axis_to_cut(step.kernel, made)
        if axis is None or not _separable(step.kernel, axis):
            steps.append(step)
            continue
        fresh: list[str] = []
        for q in step.kernel.equations:
            if q.kind == REDUCE:
                name = f"p{len(buffers)}"
                while name in buffers:
                    name += "_"
                buffers[name] = Buffer(name, TensorType((), q.expr.dtype), "temp", why="partial results, one for each row of the batch")
                fresh.append(name)
        parts = _cut(step.kernel, axis, fresh)
        for name in fresh:
            buffers[name] = replace(buffers[name], type=parts[0].arrays[name])
        steps += [replace(step, kernel=part) for part in parts]
    steps = [replace(s, kernel=replace(s.kernel, name=f"k{n}")) for n, s in enumerate(steps)]
    return replace(program, steps=tuple(steps), buffers=buffers)

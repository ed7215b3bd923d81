"""Program -> program in which a variance reads its array when the mean does: each sample's part is centred on the sample's own mean.

    store q[n, c] = add over y, x of (t[n, y, x, c] - m[c])**2
    reduce s[c] = add over n of q[n, c]
becomes, where p[n, c] = add over y, x of t[n, y, x, c] are the parts of the mean, R elements each,
    store q[n, c] = add over y, x of (t[n, y, x, c] - p[n, c] / R)**2
    store e[n, c] = add over y, x of (t[n, y, x, c] - p[n, c] / R)
    reduce s[c] = add over n of q[n, c] + d * (2 * e[n, c] + R * d)          with d = p[n, c] / R - m[c]

The sums are the same for any m. So nothing waits for the mean of the whole batch but what is left for each sample: the parts of both
sums go through the samples together, with what made the array (see `Step.along`). As before, no large squares are subtracted from each
other; what the rounding of p / R leaves in e is no error either, which counts far from 0.
"""

from __future__ import annotations

from collections.abc import Mapping

from kcompile.common.struct import replace, struct

from ..kernel import LET, REDUCE, STORE, Eq, Kernel, expr_variables
from ..program import Program
from ..scalar import Aff, Apply, AxisValue, Const, Expr, Load, Ref, apply, plain_axes, rewrite, walk
from ..types import is_static, product


@struct(frozen=True)
class _Part:
    """A kernel that stores one sum for each sample: of `summed` over the axes `over`, to array[index]."""

    array: str
    index: tuple[Aff, ...]
    summed: Expr
    over: tuple[str, ...]


@struct(frozen=True)
class _Own:
    """The samples' own means: the array of their sums, that of what deviations from them leave, and of how many elements they are."""

    sums: str
    left: str
    count: int

    def mean(self, total: Load) -> Expr:
        return apply("mul", total, Const(1.0 / self.count, total.dtype))


def centre(program: Program) -> Program:
    """Every variance whose parts are sums beside those of the mean."""
    steps, buffers = list(program.steps), dict(program.buffers)
    sums: dict[object, str] = {}  # what is summed, whatever its axes are called -> where its sums for each sample are
    for n, step in enumerate(steps):
        for part in _parts(step.kernel):
            square = _deviation(part)
            if square is None:
                sums.setdefault(_key(part, part.summed), part.array)
                continue
            value, mean = square
            own = sums.get(_key(part, value))
            readers = [m for m, other in enumerate(steps) if part.array in other.kernel.reads]
            whole = _sum_of(steps[readers[0]].kernel, part.array) if len(readers) == 1 else None
            if own is None or whole is None or len(step.kernel.stores) > 1 or _key(part, value) is None:
                continue
            count = int(str(product(step.kernel.axes[a] for a in part.over)))
            left = f"{part.array}/left"
            while left in buffers:
                left += "_"
            buffers[left] = replace(buffers[part.array], name=left)
            means, (reader,) = _Own(own, left, count), readers
            steps[n] = replace(step, kernel=_around(step.kernel, part, value, means))
            steps[reader] = replace(steps[reader], kernel=_moved(steps[reader].kernel, whole, step.kernel, part, mean, means))
    return replace(program, steps=tuple(steps), buffers=buffers)


def _parts(kernel: Kernel) -> list[_Part]:
    """The sums that a kernel stores as they are, one for each row of a batch."""
    sums = {q.name: q for q in kernel.equations if q.kind == REDUCE and q.op == "add"}
    found = []
    for q in kernel.equations:
        if q.kind == STORE and isinstance(q.expr, Ref) and q.expr.name in sums and plain_axes(q.index) == sums[q.expr.name].free:
            total = sums[q.expr.name]
            if total.free and not is_static(kernel.axes[total.free[0]]) and all(is_static(kernel.axes[a]) for a in total.over):
                summed = total.expr
                if isinstance(summed, Ref) and summed.name in kernel.lets:
                    summed = kernel.lets[summed.name].expr
                found.append(_Part(q.name, q.index, summed, total.over))
    return found


def _deviation(part: _Part) -> tuple[Expr, Expr] | None:
    """(value, mean), where what is summed is (value - mean)**2 and the mean is the same for all samples and all that is summed."""
    e = part.summed
    if not isinstance(e, Apply) or e.fn != "mul" or e.args[0] != e.args[1] or not isinstance(e.args[0], Apply) or e.args[0].fn != "sub":
        return None
    value, mean = e.args[0].args
    (batch, *_) = part.index
    fixed = not any(isinstance(x, Ref) for x in walk(mean)) and not expr_variables(mean) & {*part.over, *batch.variables}
    return (value, mean) if fixed and e.dtype.is_float else None


def _key(part: _Part, value: Expr) -> object:
    """A value with its axes numbered as its only load has them, and which of them are summed; None for any other value."""
    loads = [e for e in walk(value) if isinstance(e, Load)]
    axes = plain_axes(loads[0].index) if len(loads) == 1 and not loads[0].guards else None
    used = {*part.over, *(v for a in part.index for v in a.variables)}
    if axes is None or any(isinstance(e, (Ref, AxisValue)) for e in walk(value)) or not used <= {*axes}:
        return None
    numbers = {axis: Aff.of(str(n)) for n, axis in enumerate(axes)}
    stored = tuple(a.substitute(numbers) for a in part.index)
    return _renamed(value, numbers), stored, frozenset(axes.index(a) for a in part.over)


def _renamed(value: Expr, axes: Mapping[str, Aff]) -> Expr:
    def leaf(e: Expr) -> Expr | None:
        return replace(e, index=tuple(a.substitute(axes) for a in e.index)) if isinstance(e, Load) else None
    return rewrite(value, leaf)


def _sum_of(kernel: Kernel, array: str) -> Eq | None:
    """The equation of a kernel that sums all rows of an array of parts, which is all that it does with it."""
    loads = kernel.loads[array]
    for q in kernel.equations:
        if q.kind == REDUCE and q.op == "add" and loads == [q.expr] and len(q.over) == 1:
            return q
    return None


def _around(kernel: Kernel, part: _Part, value: Expr, own: _Own) -> Kernel:
    """The kernel with deviations from each sample's own mean."""
    free = tuple(v for a in part.index for v in a.variables)
    (total,) = [q for q in kernel.equations if q.kind == REDUCE]
    (store,) = [q for q in kernel.equations if q.kind == STORE]
    mean = Eq(LET, _fresh(kernel, "own"), own.mean(Load(own.sums, part.index, value.dtype)), free)
    away = Eq(LET, _fresh(kernel, "away"), apply("sub", value, Ref(mean.name, value.dtype)), total.axes)
    deviation = Ref(away.name, value.dtype)
    left = replace(total, name=_fresh(kernel, "left"), expr=deviation)
    equations = (mean, away, replace(total, expr=apply("mul", deviation, deviation)), left, store,
                 replace(store, name=own.left, expr=Ref(left.name, value.dtype)))
    read = {e.array for e in walk(value) if isinstance(e, Load)}
    arrays = {a: t for a, t in kernel.arrays.items() if a in read}
    arrays.update(dict.fromkeys((own.sums, part.array, own.left), kernel.arrays[part.array]))
    return replace(kernel, equations=equations, arrays=arrays)


def _moved(kernel: Kernel, whole: Eq, parts: Kernel, part: _Part, mean: Expr, own: _Own) -> Kernel:
    """The kernel that sums the parts, each moved from the sample's own mean to that of all."""
    load = whole.expr
    assert isinstance(load, Load)
    names = {v: at for a, at in zip(part.index, load.index, strict=True) for v in a.variables}
    away = Eq(LET, _fresh(kernel, "away"), apply("sub", own.mean(replace(load, array=own.sums)), _renamed(mean, names)), whole.axes)
    d = Ref(away.name, load.dtype)
    twice, count = Const(2.0, load.dtype), Const(float(own.count), load.dtype)
    moved = apply("add", load, apply("mul", d, apply("add", apply("mul", twice, replace(load, array=own.left)), apply("mul", count, d))))
    more = {e.array for e in walk(mean) if isinstance(e, Load)}
    arrays = {**kernel.arrays, **dict.fromkeys((own.sums, own.left), parts.arrays[part.array]), **{a: parts.arrays[a] for a in more}}
    equations = tuple([new for q in kernel.equations for new in ((away, replace(q, expr=moved)) if q is whole else (q,))])
    return replace(kernel, equations=equations, arrays=arrays)


def _fresh(kernel: Kernel, name: str) -> str:
    taken = {*kernel.axes, *(q.name for q in kernel.equations), *kernel.arrays}
    while name in taken:
        name += "_"
    return name

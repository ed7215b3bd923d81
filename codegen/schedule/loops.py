"""Steps on loops: tile, vectorize, unroll, parallel, reorder, collapse.

    tile(j, 32)        for j in 0..512             ->  for j.o in 0..512 step 32
                                                         for j.i in 0..32
    vectorize(j.i, 16) for j.i in 0..32            ->  unroll j.u in 0..2 { vec j.v in 0..16 },  j.i = 16*j.u + j.v
    collapse(i, j)     for i { for j in 0..64 }    ->  for i.j in 0..64*B     (where every index agrees)
"""

from __future__ import annotations

from kcompile.common.struct import replace

from ...ir.scalar import Aff
from ...ir.types import Dim, DimLike
from ..access import divisor
from ..nest import FOR, UNROLL, VECTOR, Clip, Loop, Nest, Stmt, all_loads, loops, map_body, statements, substitute


class ScheduleError(ValueError):
    """A step that does not apply: the message says which, to what, and why."""


def refuse(step: str, reason: str) -> None:
    """Raises ScheduleError where a reason stands against a step: what `why_not_<step>` finds, which a strategy asks beforehand."""
    if reason:
        raise ScheduleError(f"{step}: {reason}")


def record(nest: Nest, body: tuple[Stmt, ...], step: str) -> Nest:
    """The nest with a new body, and the step that made it among its steps."""
    return replace(nest, body=body, steps=(*nest.steps, step))


def _existing(nest: Nest, var: str, step: str) -> list[Loop]:
    found = loops(nest, var)
    if not found:
        raise ScheduleError(f"{step}: nest {nest.name} has no loop {var!r}")
    return found


def tile(nest: Nest, var: str, size: int) -> Nest:
    """Cuts a loop into tiles: `var.o` steps by `size`, `var.i` runs inside; a last tile that is not full is clipped."""
    step = f"tile({var}, {size})"
    _existing(nest, var, step)

    def change(stmt: Stmt) -> tuple[Stmt, ...] | None:
        if not isinstance(stmt, Loop) or stmt.var != var:
            return None
        if stmt.mode != FOR or stmt.step != 1 or stmt.where:
            raise ScheduleError(f"{step}: the loop is not a plain one any more")
        outer, inner = f"{var}.o", f"{var}.i"
        together = Aff.of({outer: 1, inner: 1})
        clip = None
        if stmt.clip:
            clip = Clip(stmt.clip.base + Aff.of(outer), stmt.clip.extent)
        elif divisor(stmt.extent) % size:
            clip = Clip(Aff.of(outer), stmt.extent)
        body = tuple(s for s in map_body(substitute(stmt.body, {var: together}), change))
        return (replace(stmt, var=outer, step=size, body=(Loop(inner, size, body, clip=clip),)),)

    return record(nest, map_body(nest.body, change), step)


def vectorize(nest: Nest, var: str, lanes: int) -> Nest:
    """Makes a loop of static extent into vectors: `var.u` counts them (left out where there is one), `var.v` is the lanes.

    An extent that is no multiple of `lanes` leaves dead lanes at the end.
    """
    step = f"vectorize({var}, {lanes})"
    for loop in _existing(nest, var, step):
        if isinstance(loop.extent, Dim) or loop.mode != FOR or loop.step != 1 or loop.where:
            raise ScheduleError(f"{step}: the extent {loop.extent} is not static, or the loop is not a plain one")

    def change(stmt: Stmt) -> tuple[Stmt, ...] | None:
        if not isinstance(stmt, Loop) or stmt.var != var:
            return None
        count = -(-int(str(stmt.extent)) // lanes)
        unit, lane = f"{var}.u", f"{var}.v"
        base = Aff.of({unit: lanes}) if count > 1 else Aff()
        clip = stmt.clip and Clip(stmt.clip.base + base, stmt.clip.extent)
        if clip is None and count * lanes != stmt.extent:
            clip = Clip(base, stmt.extent)
        body = substitute(stmt.body, {var: base + Aff.of(lane)})
        vector = Loop(lane, lanes, body, mode=VECTOR, clip=clip)
        return (vector,) if count == 1 else (Loop(unit, count, (vector,), mode=UNROLL),)

    return record(nest, map_body(nest.body, change), step)


def unroll(nest: Nest, var: str) -> Nest:
    """Writes out the iterations of a loop of static extent."""
    step = f"unroll({var})"
    for loop in _existing(nest, var, step):
        if isinstance(loop.extent, Dim) or loop.where:
            raise ScheduleError(f"{step}: the extent {loop.extent} is not static, or not all trips are done")
    return record(nest, _with(nest, var, mode=UNROLL), step)


def parallel(nest: Nest, var: str) -> Nest:
    """Lets threads share the loop's trips. The loop must not carry an accumulator from trip to trip."""
    step = f"parallel({var})"
    for loop in _existing(nest, var, step):
        from .accumulate import carried

        if carried(loop):
            raise ScheduleError(f"{step}: the loop carries {', '.join(sorted(carried(loop)))} from trip to trip")
    return record(nest, _with(nest, var, parallel=True), step)


def backwards(nest: Nest, var: str) -> Nest:
    """Lets each thread do its share of the trips from the last to the first: of the loop, where it is the only one that they share, or of
    all that are shared with it, where it is the outermost. What a kernel met last is nearer than what it met first."""
    step = f"backwards({var})"
    for loop in _existing(nest, var, step):
        shared = [s for s in statements(nest.body) if isinstance(s, Loop) and s.parallel]
        alone = loop in shared[:1] or not any(s.extent != s.step for s in shared if s is not loop)
        if not loop.parallel or not alone or loop.clip or loop.where:
            raise ScheduleError(f"{step}: threads do not share trips of this loop alone")
    return record(nest, _with(nest, var, backwards=True), step)


def _with(nest: Nest, var: str, **fields: object) -> tuple[Stmt, ...]:
    def change(stmt: Stmt) -> tuple[Stmt, ...] | None:
        if isinstance(stmt, Loop) and stmt.var == var:
            return (replace(stmt, **fields),)  # type: ignore[arg-type]
        return None

    return map_body(nest.body, change)


def reorder(nest: Nest, *order: str) -> Nest:
    """Puts perfectly nested loops into another order, outermost first."""
    step = f"reorder({', '.join(order)})"
    done = False

    def change(stmt: Stmt) -> tuple[Stmt, ...] | None:
        nonlocal done
        if not isinstance(stmt, Loop) or stmt.var not in order:
            return None
        chain = [stmt]
        while len(chain) < len(order):
            inner = chain[-1].body[0] if len(chain[-1].body) == 1 else None
            if not isinstance(inner, Loop) or inner.var not in order:
                raise ScheduleError(f"{step}: {chain[-1].var} and the next loop are not perfectly nested")
            chain.append(inner)
        by_name = {loop.var: loop for loop in chain}
        for n, var in enumerate(order):
            clip = by_name[var].clip
            if clip and any(v in order[n:] for v in clip.base.variables):
                raise ScheduleError(f"{step}: the end of {var} depends on a loop inside it")
            where = by_name[var].where
            if where and any(v in order[n + 1:] for v in where.index.variables):
                raise ScheduleError(f"{step}: the trips of {var} depend on a loop inside it")
        body = chain[-1].body
        for var in reversed(order):
            body = (replace(by_name[var], body=body),)
        done = True
        return body

    body = map_body(nest.body, change)
    if not done:
        raise ScheduleError(f"{step}: nest {nest.name} has no such loops")
    return record(nest, body, step)


def can_collapse(nest: Nest, outer: str, inner: str) -> bool:
    """Whether every pair of such loops is perfectly nested and every index sees them as one."""
    found = loops(nest, outer)
    if not found or len(found) != len(loops(nest, inner)):
        return False
    for loop in found:
        child = loop.body[0] if len(loop.body) == 1 else None
        if not isinstance(child, Loop) or child.var != inner or loop.step != 1 or child.step != 1:
            return False
        if loop.clip or child.clip or loop.where or child.where or loop.mode != FOR or child.mode != FOR or loop.parallel or child.parallel:
            return False
        if any(load.array in nest.by_row for load in all_loads(child.body)):
            return False  # in which row an element is would not be told
        for aff in child.indices:
            if aff.coefficient(outer) != aff.coefficient(inner) * child.extent:
                return False
    return True


def collapse(nest: Nest, outer: str, inner: str) -> Nest:
    """Makes two perfectly nested loops one, `outer.inner`."""
    step = f"collapse({outer}, {inner})"
    if not can_collapse(nest, outer, inner):
        raise ScheduleError(f"{step}: the loops are not perfectly nested plain ones, or some index tells them apart")
    name = f"{outer}.{inner}"

    def change(stmt: Stmt) -> tuple[Stmt, ...] | None:
        if not isinstance(stmt, Loop) or stmt.var != outer:
            return None
        child = stmt.body[0]
        assert isinstance(child, Loop)
        extent: DimLike = stmt.extent * child.extent
        body = substitute(child.body, {outer: Aff(), inner: Aff.of(name)})
        return (Loop(name, extent, body),)

    return record(nest, map_body(nest.body, change), step)

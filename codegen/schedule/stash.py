"""Steps that let a register tile's epilogue run as a loop: the sums go through a small private array.

    stash(i.i)      each i.i<8, j.u<2, j.v:vec16 { y = f(c) }
                    ->  each i.i<8, j.u<2, j.v:vec16 { tile.c[32*i.i + 16*j.u + j.v] = c }
                        for i.i in 0..8 { each j.u<2, j.v:vec16 { y = f(tile.c[...]) } }

A dear epilogue (an optimizer's update, random bits) written out for each of 16 vectors would be most of the kernel's code.
`stash_flat` puts rows of fewer elements than lanes one behind the other, where that is how they lie in memory: the epilogue runs along
all of them in whole vectors. (Row by row, each masked store holds up the loads of the next row.)

    stash_flat(i.i, j.v)    each i.i<16, j.v:vec16 if j.v < 10 { m[10*i.i + j.v] = f(c) }
                            ->  each i.i<16, j.v:vec16 { tile.c[10*i.i + j.v] = c }
                                for i.i.e in 0..160 step 16 { each i.i.v:vec16 { m[i.i.e + i.i.v] = f(tile.c[...]) } }

`stash_turned` does the same for tiles whose lanes are not the direction in which results lie in memory: the epilogue then runs
along the columns, without gathers, and along all rows in whole vectors where these are shorter than one.
"""

from __future__ import annotations

from kcompile.common.struct import replace

from ...ir.scalar import Aff, AxisValue, Load, Ref, rewrite, walk
from ...ir.types import DType
from ..nest import FOR, UNROLL, VECTOR, Acc, Clip, Let, Loop, Nest, Stmt, Store, Transpose, map_body, statements, stmt_expr, substitute
from .loops import ScheduleError, record


def stash(nest: Nest, *rows: str) -> Nest:
    """Makes the unrolled loops `rows` of the epilogue run-time loops."""
    step = f"stash({', '.join(rows)})"
    accs = {s.name: s for s in statements(nest.body) if isinstance(s, Acc)}
    scratch = dict(nest.scratch)
    done = False

    def change(stmt: Stmt) -> tuple[Stmt, ...] | None:
        nonlocal done
        if not isinstance(stmt, Loop) or stmt.var != rows[0] or stmt.mode != UNROLL or not is_epilogue(stmt):
            return None
        chain = perfect_chain(stmt)
        if tuple(loop.var for loop in chain[:len(rows)]) != rows:
            raise ScheduleError(f"{step}: the epilogue's loops are {', '.join(loop.var for loop in chain)}")
        body = _complete(nest, chain)
        names = summed(body, accs, rows)
        index, size = _position(chain)
        first: list[Stmt] = []
        loads: dict[str, Load] = {}
        for name in names:
            dtype = accs[name].dtype
            scratch[f"tile.{name}"] = (dtype, size)
            loads[name] = Load(f"tile.{name}", (index,), dtype)
            first.append(Store(f"tile.{name}", index, Ref(name, dtype)))
        later = with_loads(body, loads)
        kept: tuple[Stmt, ...] = tuple(first)
        for loop in reversed(chain):
            kept = (replace(loop, body=kept, clip=None),)
            later = (replace(loop, body=later, mode=FOR if loop.var in rows else loop.mode),)
        done = True
        return (*kept, *later)

    body = map_body(nest.body, change)
    if not done:
        raise ScheduleError(f"{step}: nest {nest.name} has no epilogue under these loops")
    return record(replace(nest, scratch=scratch), body, step)


def stash_flat(nest: Nest, rows: str, lanes: str) -> Nest:
    """The epilogue of a tile's rows, each shorter than a vector, as a loop over the one piece of memory that they are."""
    step = f"stash_flat({rows}, {lanes})"
    scratch = dict(nest.scratch)
    accs = {s.name: s for s in statements(nest.body) if isinstance(s, Acc)}
    done = False

    def change(stmt: Stmt) -> tuple[Stmt, ...] | None:
        nonlocal done
        if not isinstance(stmt, Loop) or stmt.var != rows or not is_epilogue(stmt) or not (length := row_length(nest, stmt, lanes)):
            return None
        row, lane = chain = perfect_chain(stmt)
        width, total = int(str(lane.extent)), length * int(str(row.extent))
        body = _complete(nest, chain)
        names = summed(body, accs, (rows,))
        place, start, within = Aff.of({rows: length, lanes: 1}), f"{rows}.e", f"{rows}.v"
        flat = Aff.of({start: 1, within: 1})
        loads = {name: Load(f"tile.{name}", (flat,), accs[name].dtype) for name in names}
        scratch.update({f"tile.{name}": (accs[name].dtype, total + width) for name in names})
        # dead lanes lie where the next row comes
        first = tuple(Store(f"tile.{name}", place, Ref(name, accs[name].dtype)) for name in names)
        kept = replace(row, clip=None, body=(replace(lane, clip=None, body=first),))
        later = substitute(with_loads(body, loads), {rows: Aff(), lanes: flat})
        done = True
        return kept, Loop(start, total, (Loop(within, width, later, mode=VECTOR),), step=width)

    body = map_body(nest.body, change)
    if not done:
        raise ScheduleError(f"{step}: no epilogue has rows along {rows} that are shorter than {lanes} and lie one behind the other")
    return record(replace(nest, scratch=scratch), body, step)


def row_length(nest: Nest, epilogue: Loop, lanes: str) -> int:
    """The elements of a row of an epilogue whose rows are one piece of memory in all arrays, of whole vectors; 0 for others."""
    chain = perfect_chain(epilogue)
    if len(chain) != 2 or chain[0].mode != UNROLL or chain[0].clip or chain[1].var != lanes or not chain[1].clip:
        return 0
    row, lane = chain
    assert lane.clip
    length, width = lane.clip.extent, int(str(lane.extent))
    if not isinstance(length, int) or length >= width or length * int(str(row.extent)) % width:
        return 0
    return length if _one_piece(_complete(nest, chain), row.var, lanes, length) else 0


def _one_piece(body: tuple[Stmt, ...], row: str, lanes: str, length: int) -> bool:
    """Whether rows of that length lie one behind the other in all arrays."""
    places = [s.index for s in body if isinstance(s, Store)]
    for stmt in body:
        expr = stmt_expr(stmt)
        for e in walk(expr) if expr is not None else ():
            if isinstance(e, Load):
                places += [e.index[0], *(guard.index for guard in e.guards)]
            elif isinstance(e, AxisValue):
                places.append(e.index)
    return all(aff.coefficient(row) == aff.coefficient(lanes) * length for aff in places)


def stash_turned(nest: Nest, columns: str, lanes: str) -> Nest:
    """Turns the tile through a private array; the epilogue runs row by row, with `columns` as its vector variable."""
    step = f"stash_turned({columns}, {lanes})"
    accs = {s.name: s for s in statements(nest.body) if isinstance(s, Acc)}
    scratch = dict(nest.scratch)
    done = False

    def change(stmt: Stmt) -> tuple[Stmt, ...] | None:
        nonlocal done
        if not isinstance(stmt, Loop) or stmt.mode == FOR or not is_epilogue(stmt):
            return None
        chain = perfect_chain(stmt)
        by_name = {loop.var: loop for loop in chain}
        if columns not in by_name or lanes not in by_name or len(chain) > 3:
            return None
        column, lane = by_name[columns], by_name[lanes]
        unit = next((loop for loop in chain if loop.var not in (columns, lanes)), None)
        width, count = int(str(column.extent)), int(str(lane.extent))
        # vectors of another axis than the lanes: it has a loop of its own
        beside = unit if unit and unit.var != f"{lanes.removesuffix('.v')}.u" else None
        units = int(str(unit.extent)) if unit else 1
        rows = count if beside else count * units
        row, across = f"{lanes}.r", f"{columns}.v"
        together = Aff.of({lanes: 1, **({unit.var: count} if unit else {})})
        body = _complete(nest, chain)
        names = summed(body, accs, (columns, lanes))
        if not names:  # stands before the sums: what it computes is still asked for
            return None
        first: list[Stmt] = []
        turned: list[Stmt] = []
        loads: dict[str, Load] = {}
        for name in names:
            dtype = accs[name].dtype
            scratch[f"tile.{name}"] = (dtype, width * count * units)
            first.append(Let(f"{name}.t", Ref(name, dtype)))
            to = together * width + Aff.of(columns)
            turned.append(Transpose(f"tile.{name}", to, f"{name}.t", lanes, count, None, columns, width, None))
            loads[name] = Load(f"tile.{name}", (Aff.of({row: width, across: 1, **({beside.var: count * width} if beside else {})}),), dtype)
        kept: tuple[Stmt, ...] = (replace(column, clip=None, body=(replace(lane, clip=None, body=tuple(first)),)), *turned)
        if unit:
            kept = (replace(unit, body=kept),)
        moved = {lanes: Aff.of(row), columns: Aff.of(across), **({unit.var: Aff()} if unit and not beside else {})}
        later = with_loads(substitute(body, moved), loads)
        vector = Loop(across, width, later, mode=VECTOR, clip=_moved(column.clip, moved))
        done = True
        if beside:
            alone = Loop(row, rows, (vector,), clip=_moved(lane.clip, moved))
            return (*kept, replace(beside, body=(alone,), mode=FOR))
        if width % count and rows * width % count == 0 and not (column.clip or lane.clip) and _one_piece(later, row, across, width):
            start = f"{lanes}.e"
            flat = substitute(later, {row: Aff(), across: Aff.of({start: 1, across: 1})})
            return (*kept, Loop(start, rows * width, (replace(vector, extent=count, body=flat),), step=count))
        return (*kept, Loop(row, rows, (vector,), clip=_moved(lane.clip, moved)))

    body = map_body(nest.body, change)
    if not done:
        raise ScheduleError(f"{step}: nest {nest.name} has no epilogue under these loops")
    return record(replace(nest, scratch=scratch), body, step)


def _complete(nest: Nest, chain: list[Loop]) -> tuple[Stmt, ...]:
    """The body of an epilogue, which takes nothing else from registers than sums: what was computed before them for the same elements is
    computed again."""
    tile = {loop.var for loop in chain}
    before = {s.name: s for loop in statements(nest.body) if isinstance(loop, Loop) and loop.var in tile
              for s in statements(loop.body) if isinstance(s, Let)}
    body = chain[-1].body
    known = {s.name for s in body if isinstance(s, Let)}
    first: list[Stmt] = []

    def ask(stmt: Stmt) -> None:
        expr = stmt_expr(stmt)
        for e in walk(expr) if expr is not None else ():
            if isinstance(e, Ref) and e.name in before and e.name not in known:
                known.add(e.name)
                ask(before[e.name])
                first.append(before[e.name])

    for stmt in body:
        ask(stmt)
    return (*first, *body)


def _moved(clip: Clip | None, mapping: dict[str, Aff]) -> Clip | None:
    return clip and Clip(clip.base.substitute(mapping), clip.extent)


def is_epilogue(loop: Loop) -> bool:
    """Whether a loop computes and stores, and neither sums nor holds a loop of run time."""
    inner = [s for s in statements(loop.body) if not isinstance(s, Loop)]
    return any(isinstance(s, Store) for s in inner) and all(isinstance(s, (Let, Store)) for s in inner) \
        and all(s.mode != FOR for s in statements(loop.body) if isinstance(s, Loop))


def perfect_chain(loop: Loop) -> list[Loop]:
    """The loop and those that stand alone in the one before, the outermost first."""
    out = [loop]
    while len(out[-1].body) == 1 and isinstance(out[-1].body[0], Loop):
        out.append(out[-1].body[0])
    return out


def summed(body: tuple[Stmt, ...], accs: dict[str, Acc], rows: tuple[str, ...]) -> list[str]:
    """Accumulators that the body reads and that have one of the rows among their dimensions."""
    used: dict[str, DType] = {}
    for stmt in body:
        expr = stmt_expr(stmt)
        for e in walk(expr) if expr is not None else ():
            if isinstance(e, Ref) and e.name in accs and any(d.var in rows for d in accs[e.name].dims):
                used[e.name] = e.dtype
    return list(used)


def _position(chain: list[Loop]) -> tuple[Aff, int]:
    """Where an instance lies in the private array, row-major in the loops' order, and the array's size."""
    index, size = Aff(), 1
    for loop in reversed(chain):
        index, size = index + Aff.of({loop.var: size}), size * int(str(loop.extent))
    return index, size


def with_loads(body: tuple[Stmt, ...], loads: dict[str, Load]) -> tuple[Stmt, ...]:
    """The body with loads in place of references by those names."""
    def change(stmt: Stmt) -> tuple[Stmt, ...] | None:
        if isinstance(stmt, (Let, Store)):
            return (replace(stmt, expr=rewrite(stmt.expr, lambda e: loads.get(e.name) if isinstance(e, Ref) else None)),)
        return None

    return map_body(body, change)

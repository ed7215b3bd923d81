"""A step that lets the epilogue of many tiles run along memory: strip.

    strip(j.o, i.o, i.i)    for j.o { for i.o { acc c ; for k ... ; each i.i<8, j.v:vec16 { y = f(c) } } }
                            ->  for j.o { for i.o { acc c ; for k ... ; each i.i<8, j.v:vec16 { strip.c[..] = c } } }
                                for i.o { for i.i { for j.o { each j.v:vec16 { y = f(strip.c[..]) } } } }

An optimizer's update of a large weight waits for memory. Tile by tile it would touch a piece of each of many rows; here whole rows
of the weight and of its moments pass by, as the processor likes to fetch them.
"""

from __future__ import annotations

from kcompile.common.struct import replace

from ...ir.scalar import Aff, Load, Ref
from ...ir.types import DimLike
from ..nest import FOR, UNROLL, Acc, Loop, Nest, Stmt, Store, map_body, statements
from .loops import ScheduleError, record
from .stash import is_epilogue, perfect_chain, summed, with_loads

SAME_SETS = 256  # elements: rows so far apart, or a multiple of it, fight for a few sets of the first-level cache
PAD = 16  # elements, which move each row to the next set


def strip(nest: Nest, panel: str, *rows: str) -> Nest:
    """Takes the epilogue out of the run-time loops `panel` and `rows` (outermost first; the last is the tile's unrolled loop)."""
    step = f"strip({', '.join((panel, *rows))})"
    accs = {s.name: s for s in statements(nest.body) if isinstance(s, Acc)}
    scratch = dict(nest.scratch)
    done = False

    def change(stmt: Stmt) -> tuple[Stmt, ...] | None:
        nonlocal done
        if not isinstance(stmt, Loop) or stmt.var != panel or stmt.mode != FOR:
            return None
        around = [stmt]
        while len(around) < len(rows) and isinstance(around[-1].body[0], Loop) and around[-1].body[0].var == rows[len(around) - 1]:
            around.append(around[-1].body[0])
        group = around[-1].body[-1]
        fits = len(around) == len(rows) and isinstance(group, Loop) and group.var == rows[-1] and group.mode == UNROLL
        if not fits or not isinstance(group, Loop) or not is_epilogue(group):
            raise ScheduleError(f"{step}: the tile of the loops {', '.join((panel, *rows))} does not end with an epilogue")
        inner = perfect_chain(group)
        index, size = _position(stmt, around[1:], inner)
        body = inner[-1].body
        first: list[Stmt] = []
        loads: dict[str, Load] = {}
        for name in summed(body, accs, rows[-1:]):
            dtype = accs[name].dtype
            scratch[f"strip.{name}"] = (dtype, size)
            loads[name] = Load(f"strip.{name}", (index,), dtype)
            first.append(Store(f"strip.{name}", index, Ref(name, dtype)))
        kept: tuple[Stmt, ...] = tuple(first)
        for loop in reversed(inner):
            kept = (replace(loop, body=kept, clip=None),)
        kept = (*around[-1].body[:-1], *kept)
        for loop in reversed(around):
            kept = (replace(loop, body=kept),)
        later = with_loads(body, loads)
        for loop in (*reversed(inner[1:]), stmt, replace(inner[0], mode=FOR), *reversed(around[1:])):
            later = (replace(loop, body=later),)
        done = True
        return (*kept, *later)

    body = map_body(nest.body, change)
    if not done:
        raise ScheduleError(f"{step}: nest {nest.name} has no run-time loop {panel}")
    return record(replace(nest, scratch=scratch), body, step)


def _position(panel: Loop, around: list[Loop], inner: list[Loop]) -> tuple[Aff, int]:
    """Where a sum lies in the strip, row after row, and the strip's size. Dead rows and lanes have their places too."""
    terms: dict[str, DimLike] = {}
    size = 1
    for loop in reversed(inner[1:]):
        terms[loop.var] = size
        size *= int(str(loop.extent))
    for loop in (panel, inner[0], *reversed(around)):
        if size % loop.step:
            raise ScheduleError(f"strip: {loop.var} steps by {loop.step}, which is no part of {size}")
        terms[loop.var] = size // loop.step
        size *= -(-int(str(loop.extent)) // loop.step)
        if loop is panel and size % SAME_SETS == 0:
            size += PAD
    return Aff.of(terms), size

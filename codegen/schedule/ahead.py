"""A step that has the next block of a long sum fetched while this one is summed: ahead.

    ahead(n)    for n.b { for j.o { for i.o { acc c ; for n in 0..8 { c += x[..] * d[..] } ; sums[..] = c } } }
                ->  for n.b { for j.o { for i.o { acc c ; each n.a<4 { prefetch x[..] } ; for n in 0..8 { ... } ; sums[..] = c } } }

Every tile asks for its share of what the next block reads: a few lines each, so that requests never queue up. Of an operand that all cores
read each core asks for everything, of one whose columns are shared out among them for its own columns: what another core has fetched is
far away.
"""

from __future__ import annotations

import math

from kcompile.common.struct import replace

from ...ir.scalar import Aff, Load, walk
from ..access import chain
from ..nest import FOR, UNROLL, VECTOR, Acc, Accum, Clip, Loop, Nest, Prefetch, Stmt, loops, map_body, statements, substitute
from ..target import LINE
from .loops import ScheduleError, record

AT_ONCE = 12  # lines: as many may be on their way, and more hold up what comes after


def ahead(nest: Nest, over: str) -> Nest:
    """Adds the requests to the tiles of a sum that `block` has cut along `over`, and whose tiles `portion` may have shared out."""
    step = f"ahead({over})"
    later = f"{over}.b"
    if len(loops(nest, later)) != 1:
        raise ScheduleError(f"{step}: nest {nest.name} does not go through {over} block by block")
    blocks = loops(nest, later)[0]

    def change(stmt: Stmt) -> tuple[Stmt, ...] | None:
        return (replace(stmt, body=_with_requests(stmt, over)),) if stmt is blocks else None

    return record(nest, map_body(nest.body, change), step)


def requests(nest: Nest, over: str) -> int:
    """How many lines are asked for at once."""
    return _count(_requests(loops(nest, f"{over}.b")[0], over)[1])


def _count(asked: list[Loop]) -> int:
    return sum(int(str(loop.extent)) for loop in asked)


def _with_requests(blocks: Loop, over: str) -> tuple[Stmt, ...]:
    place, found = _requests(blocks, over)
    (sums,) = (s for s in statements(blocks.body) if isinstance(s, Loop) and s.var == over)
    assert sums.clip
    asked = guarded(found, f"{over}.z", Clip(sums.clip.base + blocks.step, sums.clip.extent))

    def change(stmt: Stmt) -> tuple[Stmt, ...] | None:
        return (*asked, stmt) if stmt is place else None

    return map_body(blocks.body, change)


def _requests(blocks: Loop, over: str) -> tuple[Loop, list[Loop]]:
    """For each operand an unrolled loop of requests, and the loop before which they stand: the sum itself, or, where a tile
    would ask for many lines at once, the loop inside the sum."""
    tiles = chain(blocks.body)
    if not isinstance((tiles or [blocks])[-1].body[0], Acc):
        raise ScheduleError(f"ahead: the loops of {blocks.var} do not stand around one tile")
    (sums,) = (s for s in statements(blocks.body) if isinstance(s, Loop) and s.var == over)
    own = [loop for loop in tiles if not loop.var.endswith(".c")]  # of one core
    asked = _lines(blocks, sums, tiles, own)
    inside = [s for s in statements(sums.body) if isinstance(s, Loop) and s.mode == FOR]
    if _count(asked) <= AT_ONCE or len(inside) < 2 or inside[1] not in inside[0].body:
        return sums, asked
    return inside[1], _lines(blocks, sums, tiles, [*own, sums, inside[0]])


def _lines(blocks: Loop, sums: Loop, tiles: list[Loop], sharing: list[Loop]) -> list[Loop]:
    over = sums.var
    alone = not any(isinstance(s, Loop) and s.mode == FOR for s in statements(sums.body))
    inside = {s.var: s for s in statements(sums.body) if isinstance(s, Loop) and s.mode != FOR}
    lane = next((v for v, loop in inside.items() if loop.mode == VECTOR), "")
    divided = {loop.var for loop in tiles} - {loop.var for loop in sharing}
    out: list[Loop] = []

    def ask(array: str, place: Aff, count: int, apart: int) -> None:
        out.append(lines(f"{over}.a{len(out) or ''}", array, place, count, apart))

    for load in moving(sums):
        (index,), line = load.index, LINE // load.dtype.size
        stride = int(str(index.coefficient(over)))
        next_block = index + index.coefficient(blocks.var) * blocks.step
        width = math.prod(int(str(loop.extent)) for v, loop in inside.items() if v in index.variables)
        if alone and width >= line and index.coefficient(lane) == 1 and index.variables & divided:
            others = [loop for loop in sharing if loop.var not in index.variables]  # tiles that read the same rows take turns
            at, count = share(others, blocks.step, stride)
            place = next_block.substitute(dict.fromkeys((*inside, over), Aff())) + at
            for column in range(0, width, line):
                ask(load.array, place + column, count, stride)
        else:
            at, elements = share(sharing, stride * blocks.step, 1)
            place = next_block.substitute(dict.fromkeys(index.variables - {blocks.var}, Aff())) + at
            ask(load.array, place, -(-elements // line), line)
    return out


def moving(sums: Loop) -> list[Load]:
    """One load of each array that moves with the sum, forward."""
    found: dict[str, Load] = {}
    for stmt in statements(sums.body):
        for e in walk(stmt.expr) if isinstance(stmt, Accum) else ():
            if isinstance(e, Load):
                step = e.index[0].coefficient(sums.var)
                if isinstance(step, int) and step > 0:
                    found.setdefault(e.array, e)
    return list(found.values())


def lines(name: str, array: str, place: Aff, count: int, apart: int) -> Loop:
    """Requests for `count` lines, `apart` elements from each other."""
    return Loop(name, count, (Prefetch(array, place + Aff.of({name: apart})),), mode=UNROLL)


def guarded(asked: list[Loop], name: str, where: Clip) -> tuple[Stmt, ...]:
    """The requests, where what they ask for is there: a request for what is in no page at all takes long, in vain."""
    body = tuple(s for loop in asked for s in ((loop,) if loop.extent != 1 else substitute(loop.body, {loop.var: Aff()})))
    return (Loop(name, 1, body, clip=where),) if body else ()


def share(sharing: list[Loop], amount: int, stride: int) -> tuple[Aff, int]:
    """Where the share of a trip begins if the trips of all these loops divide `amount`, which lie `stride` elements apart, and how many
    it is: no fewer than it must be."""
    trips = [(loop, -(-int(str(loop.extent)) // loop.step)) for loop in sharing]
    numbers = {loop.var: math.prod(count for _, count in trips[n + 1:]) for n, (loop, _) in enumerate(trips)}
    several = [loop for loop, count in trips if count > 1]
    unit = math.lcm(*(loop.step // math.gcd(loop.step, numbers[loop.var] * stride) for loop in several))
    each = -(-amount // math.prod(count for _, count in trips))
    each = -(-each // unit) * unit
    return Aff.of({loop.var: each * stride * numbers[loop.var] // loop.step for loop in several}), each

"""A step for sums whose panels are too long to be packed at once: refill.

    refill(n, j.o, 128)   for j.o { for i.o { acc c ; for n in 0..B { c += x[..] * d[512*n + j.o + ..] } ; y = c } }
                          ->  for j.o
                                for n.b in 0..B - 128 step 128             # all parts of the sum but the first
                                  for n.p { part.d[..] = d[512*(n.b + 128 + n.p) + j.o + ..] }
                                  for i.o { acc c ; c += sums[..] ; for n in 0..128 { c += x[..] * part.d[..] } ; sums[..] = c }
                                for n.p { part.d[..] = d[512*n.p + j.o + ..] }
                                for i.o { acc c ; c += sums[..] ; for n in 0..128 { c += x[..] * part.d[..] } ; y = c }

The operand along the lanes is packed a part of the sum at a time, which all tiles of the panel take from the first-level cache however far
apart its rows lie in memory. A sum no longer than a part touches no memory on its way, and its epilogue follows at once.
"""

from __future__ import annotations

from kcompile.common.struct import replace

from ...ir.scalar import Aff, Load
from ...ir.types import DType
from ..nest import Clip, Loop, Nest, Stmt, all_loads, map_body
from .block import nested
from .loops import ScheduleError, record
from .parts import Summing, filled, in_parts, lanes_packed, summing


def refill(nest: Nest, over: str, panel: str, size: int) -> Nest:
    """Goes through the sums over `over` inside the loop `panel` so many trips at a time, with what the lanes take packed."""
    step = f"refill({over}, {panel}, {size})"
    scratch = dict(nest.scratch)
    done = False

    def change(stmt: Stmt) -> tuple[Stmt, ...] | None:
        nonlocal done
        if not isinstance(stmt, Loop) or stmt.var != panel:
            return None
        done = True
        return (replace(stmt, body=_filled(stmt.body, over, size, scratch, step)),)

    body = map_body(nest.body, change)
    if not done:
        raise ScheduleError(f"{step}: nest {nest.name} has no loop {panel}")
    return record(replace(nest, body=body, scratch=scratch), body, step)


def refilled(body: tuple[Stmt, ...], over: str) -> Load | None:
    """What a panel's tiles would take from packed memory: the one load along the lanes that no row of a tile and no tile moves. None where
    tiles are not such, or their number is not known."""
    tiles = summing(body, over)
    return _along_the_lanes(tiles) if tiles else None


def _along_the_lanes(tiles: Summing) -> Load | None:
    loads = dict.fromkeys(load for load in all_loads(tiles.sums.body) if load.index[0].coefficient(tiles.sums.var) != 0 and not load.guards)
    found = [load for load in loads if load.index[0].coefficient(tiles.lane.var) == 1]
    own = {loop.var for loop in tiles.loops} | {d.var for d in tiles.acc.dims if d.var.endswith(".i")}
    return found[0] if len(found) == 1 and not found[0].index[0].variables & own else None


def _filled(body: tuple[Stmt, ...], over: str, size: int, scratch: dict[str, tuple[DType, int]], step: str) -> tuple[Stmt, ...]:
    tiles = summing(body, over)
    load = _along_the_lanes(tiles) if tiles else None
    if tiles is None or load is None:
        raise ScheduleError(f"{step}: inside it are no tiles that sum over {over} what no other tile takes along the lanes")
    packed = lanes_packed(tiles, load, size, scratch)

    def copied(moved: Aff, clip: Clip | None, inside: tuple[Stmt, ...]) -> tuple[Stmt, ...]:
        return filled(tiles, packed, size, moved, clip), *nested(list(tiles.loops), inside)
    return in_parts(tiles, size, [packed], copied, scratch, step)

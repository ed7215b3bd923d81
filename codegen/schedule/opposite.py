"""opposite: half of the cores begin a long sum with the second half of its blocks.

    opposite(n)    index n.h = where the second half of the blocks begins
                   for n.b in 0..B-8 step 8
                     parallel for j.o.c in 0..64 step 32
                       acc c ; c += sums[..] ; for n in 0..8 { c += x[n + n.b + 8] * d[..] } ; sums[..] = c
                   ->  index n.r = how long the second half is
                       for n.b in 0..B-8 step 8
                         parallel for j.o.c in 0..64 step 32 middle j.o.m
                           index n.t = (j.o.m < 32 ? n.b : n.b < n.r ? n.b + n.h : n.b - n.r)
                           acc c ; c += sums[..] ; for n in 0..8 { c += x[n + n.t + 8] * d[..] } ; sums[..] = c

Of what the kernels before have written, each line was changed by one core, and no other has seen it. Two cores that ask for the same such
lines at the same time wait for one another. So they read different halves at a time: when either comes to the other's, that has long
been done with it. A half is summed by itself (`block`), and the bits are the same in whatever order that is done.

The middle of a thread's share decides for all of it, where a thread keeps its share for all blocks: one that does both portions takes
one block after the other for both, while that lies in its cache, and asks once for what both read of the next. Where another thread may
take over some trips between two blocks (`each_pass`), shares change, and each trip goes in the order of its own portion: else it could
add one block twice and leave out another.
"""

from __future__ import annotations

from kcompile.common.struct import replace

from ...ir.scalar import Aff, AxisValue, Const, Expr, apply
from ...ir.types import i64
from ..access import chain
from ..nest import FOR, Acc, Clip, Let, Loop, Nest, Prefetch, Stmt, map_body, substitute
from .loops import record, refuse


def opposite(nest: Nest, over: str) -> Nest:
    """Changes the order of the blocks that `block` has made along `over` for the second half of the portions, and with it what these ask
    for ahead."""
    step = f"opposite({over})"
    refuse(step, why_not_opposite(nest, over))
    blocks = _blocks(nest, over)
    cores = _cores(nest, over)
    assert blocks is not None and cores is not None
    middle_of_share = f"{cores.var}.m"
    later = apply("ge", AxisValue(Aff.of(middle_of_share)), Const(int(str(cores.extent)) // cores.step // 2 * cores.step, i64))
    here, following, middle, turn = f"{over}.t", f"{over}.u", f"{over}.h", f"{over}.r"

    def turned(name: str, further: int) -> Let:
        """The block whose turn it is; what is `further` of it decides whether there is one left in the second half."""
        more = apply("lt", AxisValue(Aff.of(blocks.var, further)), AxisValue(Aff.of(turn)))
        other = apply("select", more, AxisValue(Aff.of({blocks.var: 1, middle: 1})), AxisValue(Aff.of({blocks.var: 1, turn: -1})))
        return Let(name, apply("select", later, other, AxisValue(Aff.of(blocks.var))), index=True)

    def change(stmt: Stmt) -> tuple[Stmt, ...] | None:
        if not isinstance(stmt, Loop) or not stmt.body or not isinstance(stmt.body[0], Acc):
            return None
        acc, *rest = stmt.body
        lets = [turned(here, 0)]
        if any(isinstance(s, Prefetch) for s in stmt.inside):
            lets.append(turned(following, blocks.step))  # requests add the size of a block to it
        return (replace(stmt, body=(acc, *lets, *(_moved(s, over, blocks.var, here, following) for s in rest))),)

    def told(stmt: Stmt) -> tuple[Stmt, ...] | None:
        """The loop over portions, which tells the middle of a share; requests for what all portions read are made up to that one."""
        if isinstance(stmt, Loop) and stmt.var == cores.var:
            return (replace(stmt, middle=middle_of_share, body=map_body(stmt.body, told)),)
        if isinstance(stmt, Loop) and stmt.clip and all(isinstance(s, (Prefetch, Loop)) for s in stmt.inside) and not any(
                isinstance(s, Prefetch) and cores.var in s.index.variables for s in stmt.inside) and any(
                isinstance(s, Prefetch) for s in stmt.inside):
            return (Loop(f"{over}.f", 1, (stmt,), clip=Clip(Aff.of({cores.var: 1, middle_of_share: -1}), 1)),)
        return None

    own = replace(blocks, body=map_body(map_body(blocks.body, change), told))
    lead = [s for s in nest.body if isinstance(s, Let)]
    rest = [own if s is blocks else s for s in nest.body if not isinstance(s, Let)]
    return record(nest, (*lead, Let(turn, _rest(blocks, middle), index=True), *rest), step)


def why_not_opposite(nest: Nest, over: str) -> str:
    """What stands against `opposite`; '' for nothing."""
    if _blocks(nest, over) is None:
        return f"nest {nest.name} does not go through {over} block by block"
    return "" if _cores(nest, over) else "no portion of the tiles is a core's own"


def _blocks(nest: Nest, over: str) -> Loop | None:
    """The loop over blocks."""
    return next((s for s in nest.body if isinstance(s, Loop) and not s.parallel and s.mode == FOR and s.var == f"{over}.b"), None)


def _cores(nest: Nest, over: str) -> Loop | None:
    """The loop over the portions of cores (see `portion`)."""
    blocks = _blocks(nest, over)
    return next((loop for loop in chain(blocks.body) if loop.parallel and loop.var.endswith(".c")), None) if blocks else None


def _rest(blocks: Loop, middle: str) -> Expr:
    """How much of the extent, in whole blocks, is behind the middle."""
    end: Expr = AxisValue(Aff.of(0) + (blocks.extent + (blocks.step - 1)))
    if blocks.step != 1:
        size = Const(blocks.step, i64)
        end = apply("mul", apply("floordiv", end, size), size)
    return apply("sub", end, AxisValue(Aff.of(middle)))


def _moved(stmt: Stmt, over: str, block: str, here: str, following: str) -> Stmt:
    """A statement of a tile: sums take the block whose turn it is, requests the one after it."""
    after, now = {block: Aff.of(following)}, {block: Aff.of(here)}
    if isinstance(stmt, Let):
        return substitute((stmt,), now if stmt.name.startswith(f"{over}.") else after)[0]
    asking = map_body((stmt,), lambda s: substitute((s,), after) if isinstance(s, Loop) and s.var == f"{over}.z" else None)
    return substitute(asking, now)[0]

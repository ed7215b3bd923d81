"""Which sums are gone through block by block, so that what a block reads stays in the cache while every tile takes it."""

from __future__ import annotations

import math

from kcompile.common.struct import replace

from ..ir.types import Dim
from .access import MANY, accesses, chain, divisor, guess, static
from .nest import FOR, Acc, Loop, Nest, all_loads, statements
from .schedule.ahead import AT_ONCE, ahead, requests
from .schedule.block import block, block_inside
from .schedule.foresee import reached
from .schedule.lead import tile_sums
from .schedule.loops import tile
from .schedule.portion import portion
from .target import LINE, WAITING_BYTES, Target

FEW_TILES = 8  # fewer tiles may read everything from memory
MOST = 1024  # samples that a batch may hold, where what it reads should surely stay
LONG_TRIP = 16  # vectors that a trip adds to
NEAR = 1.5  # of the first-level cache: a core reads only some of the columns, and of a tile's rows a line or two of each element
WIDE_NEAR = 48 << 10  # bytes of a first-level cache that keeps a block of vectors of 64 bytes while the sums of all tiles pass through it
TERMS = 48  # of a block that a tile adds up, at the least, with vectors of 64 bytes; NEAR_TERMS with shorter ones
NEAR_TERMS = 96  # of a block that stays in the first-level cache even where its lines share a few places of it
TOGETHER = 256  # elements of images at most in a block: what a tile takes of them is about the first-level cache
LEAST_PART = 16  # terms of a loop of known length
EACH = 16  # vectors to add for each line that is asked for meanwhile
CYCLES_OF_A_LINE = 2  # in which the second-level cache brings it
# Of the time of a trip's multiply-adds: lines that take longer hold them up. It lies between kernels that were measured: those of 0.83
# (groups of 32 channels) and less do better without such blocks, those of 0.92 (40 to 40 and 72 to 40) and more with them.
BUSY = 0.84
LEAST_TRIPS = 64  # of a loop that sums and holds no other: fewer cost more to begin than they bring


def settle_blocks(nest: Nest, target: Target) -> Nest:
    """The nest with its long sum cut into blocks; unchanged where all of it fits the cache or few tiles read it."""
    tiles = chain(nest.body)
    if not tiles or target.vector_bytes == 0:
        return nest
    body = tiles[-1].body
    accs = [s for s in statements(nest.body) if isinstance(s, Acc)]
    if len(accs) != 1 or accs[0].folded or len(body) < 2 or body[0] is not accs[0]:
        return nest
    over = body[1]
    counts = [(static(loop.extent), loop.step) for loop in tiles]
    if not isinstance(over, Loop) or not over.plain or any(n is None for n, _ in counts):
        return nest
    count = math.prod(-(-(n or 1) // step) for n, step in counts)
    waiting = count * math.prod(d.extent for d in accs[0].dims) * accs[0].dtype.size
    moved = {a.array: a.coefficient(over.var) * a.dtype.size for a in accesses(nest, (over,)) if a.depends_on(over.var)}
    if count < FEW_TILES or waiting > WAITING_BYTES or not moved or not all(isinstance(n, int) and n > 0 for n in moved.values()):
        return nest
    step = sum(int(str(n)) for n in moved.values())
    if guess(over.extent, MANY) * step <= target.l2 // 2 or _stays(tiles, accs[0], target, nest):  # all of it fits, or what is read again
        return nest
    if parts := _parts(over, step, count * math.prod(d.extent for d in accs[0].dims if not d.vector), target):
        return _in_parts(nest, over, *parts, target)
    size = 1 << max(0, (target.l2 // 4 // step).bit_length() - 1)
    waits = target.wide and _waits_for_lines(over, target)
    if inside := _inside(step, over, target, waits):
        nest = block_inside(nest, over.var, *inside)
        if not waits or step > target.l2 // 2:  # else cores share the tiles one after the other, of which many take the same lines
            nest = _shared_out(nest, accs[0], tiles, target)
        note = f"{inside[1]} of {inside[0]} at a time: {count} tiles read their lines while these lie in the first-level cache"
        return replace(nest, notes=(*nest.notes, note))
    least = 1 if any(isinstance(s, Loop) and s.mode == FOR for s in statements(over.body)) else LEAST_TRIPS
    size = max(_near(size, step, over, target), least)
    extent = static(over.extent)
    if extent is not None and extent <= 2 * size:
        return nest
    cut = _shared_out(block(nest, over.var, size), accs[0], tiles, target)
    while requests(cut, over.var) > AT_ONCE and size >= 2 * least:
        size //= 2
        cut = _shared_out(block(nest, over.var, size), accs[0], tiles, target)
    nest = ahead(cut, over.var) if 2 * size * step <= target.l2 else cut
    level = "first" if size * step <= NEAR * target.l1 else "second"
    note = f"{size} of {over.var} at a time: {size * step >> 10} KB that {count} tiles read while it lies in the {level}-level cache"
    return replace(nest, notes=(*nest.notes, note))


def _parts(over: Loop, step: int, vectors: int, target: Target) -> tuple[int, int] | None:
    """The terms of a block of a sum over the elements of images, and those of a part of it: a loop of known length, in whose trips what
    the next block reads is asked for. With vectors of 32 bytes, of which tiles hold fewer sums, what waits is more of the work, and a block
    may fill more of the second-level cache. None where it is no such sum, or where a core, which computes its share of the `vectors` of
    each term, has too few of them for each line that all cores read."""
    inside = any(isinstance(s, Loop) and s.mode == FOR for s in statements(over.body))
    if inside or not isinstance(over.extent, Dim) or step * EACH * target.cores > vectors * LINE:
        return None
    size, known = min(TOGETHER, target.l2 // (8 if target.wide else 2) // step), divisor(over.extent)
    part = next((n for n in range(min(size, known), LEAST_PART - 1, -1) if known % n == 0), 0)
    return (size // part * part, part) if part else None


def _in_parts(nest: Nest, over: Loop, size: int, part: int, target: Target) -> Nest:
    """The nest with its sum cut into blocks, and these into parts."""
    cut = block(tile(nest, over.var, part), f"{over.var}.o", size)
    tiles = chain(cut.body[-1:])
    cut = _shared_out(cut, next(s for s in tiles[-1].body if isinstance(s, Acc)), tiles, target)
    return replace(cut, notes=(*cut.notes, f"{size} of {over.var} at a time, {part} of them in a loop"))


def _near(size: int, step: int, over: Loop, target: Target) -> int:
    """A smaller block that stays in the first-level cache from tile to tile, if it has so many terms that what a tile reads of it is much
    more than its sums, which come from the second-level cache and go there."""
    if target.wide and target.l1 < WIDE_NEAR:
        return size
    inside = [guess(s.extent, MANY) for s in statements(over.body) if isinstance(s, Loop) and s.mode == FOR]
    near = int(NEAR * target.l1) // step
    return near if inside and near < size and near * math.prod(inside) >= (TERMS if target.wide else NEAR_TERMS) else size


def _inside(step: int, over: Loop, target: Target, waits: bool) -> tuple[str, int] | None:
    """The loop over the rows of an image, and how many of them a block has, where an image is too much for one; else None. With vectors
    of 64 bytes an image that fits the second-level cache is cut only where tiles would wait for its lines."""
    rows = over.body[0]
    extent = static(rows.extent) if len(over.body) == 1 and isinstance(rows, Loop) and rows.plain else None
    if not isinstance(rows, Loop) or extent is None or (target.wide and step <= (NEAR * target.l1 if waits else target.l2 // 2)):
        return None
    each = math.prod(guess(s.extent, MANY) for s in statements(rows.body) if isinstance(s, Loop) and s.mode == FOR)
    size = -(-NEAR_TERMS // each)
    if extent < 2 * size:
        return None
    even = -(-extent // (extent // size))
    return rows.var, next((n for n in range(even, 2 * even) if extent % n == 0 and 2 * n <= extent), even)


def _waits_for_lines(over: Loop, target: Target) -> bool:
    """Whether the lines that a tile takes in a trip of its sum would keep the second-level cache busy nearly as long as the
    multiply-adds take: as they do where rows that begin anywhere lie across one line more."""
    found = list(tile_sums((over,)))[:1]
    lines = 0.0
    for loop, _ in found:
        for load in dict.fromkeys(all_loads(loop.body)):
            (index,), here = load.index, LINE // load.dtype.size
            moved = index.coefficient(loop.var)
            if not isinstance(moved, int):
                return False
            offsets = list(reached(index, [s for s in loop.inside if isinstance(s, Loop) and index.coefficient(s.var) != 0]))
            lines += sum(len({(moved * n + offset) // here for offset in offsets}) for n in range(here)) / here
    return lines * CYCLES_OF_A_LINE > BUSY * sum(products for _, products in found) / target.multiply_adds


def _stays(tiles: list[Loop], acc: Acc, target: Target, nest: Nest) -> bool:
    """Whether what a tile reads again is still in the second-level cache from the last time, and its sum long enough a trip for requests
    ahead of it (`lead`) to arrive."""
    if math.prod(d.extent for d in acc.dims if not d.vector) < LONG_TRIP:
        return False
    body = tiles[-1].body
    read = [a for a in accesses(nest, body[1:2]) if not a.store]
    inside = [s for s in statements(body[1:2]) if isinstance(s, Loop)]

    def bytes_read(around: list[Loop]) -> int:
        loops = [*around, *inside]
        return sum(a.dtype.size * math.prod(-(-guess(s.extent, MOST) // s.step) for s in loops if a.depends_on(s.var)) for a in read)

    again = [n for n, loop in enumerate(tiles) if not all(a.depends_on(loop.var) for a in read)]
    return all(bytes_read(tiles[n + 1:]) <= target.l2 // 2 for n in again)


def _shared_out(nest: Nest, acc: Acc, tiles: list[Loop], target: Target) -> Nest:
    """The nest with its tiles shared out among the cores: by columns if they can be divided, else by rows, else not beforehand."""
    lane = next((d.var.split(".i")[0] for d in acc.dims if d.vector), "")
    for loop in sorted(tiles, key=lambda loop: loop.var != f"{lane}.o"):
        if target.cores > 1 and loop.parallel and not (loop.clip or loop.back) and int(str(loop.extent)) % (target.cores * loop.step) == 0:
            return portion(nest, loop.var, target.cores)
    return nest

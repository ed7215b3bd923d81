"""Sums that are cut into lanes, added up: one by itself, or as many as there are lanes side by side.

A halving of two sums side by side takes one shuffle of two vectors, one choice between them and one addition:

    a0 a1 a2 a3     choose   a0 a1 b2 b3
    b0 b1 b2 b3     shuffle  a2 a3 b0 b1     add   a02 a13 b20 b31

A lane then belongs to the sum that its number's bit says, and so on with pairs of such vectors, down to neighbouring lanes: in the end
lane n holds the nth sum. Each is added up in the order of `fold_lanes`.
"""

from __future__ import annotations

from .. import scalar_code
from ..nest import Acc
from ..text_builder import Writer
from .indices import Operand
from .memory import mask_of


def combined(w: Writer, acc: Acc, a: Operand, b: Operand) -> Operand:
    """One step of a fold: both values, lane by lane, by the accumulator's operation."""
    text = scalar_code.apply(w, acc.op, [a.text, b.text], [acc.dtype] * 2, acc.dtype, a.lanes)
    return Operand(text, acc.dtype, a.lanes)


def fold_lanes(w: Writer, acc: Acc, x: Operand, down_to: int = 1) -> Operand:
    """The lanes combined by halves, until so many are left."""
    while x.lanes > down_to:
        wide, half = scalar_code.register_type(x.dtype, x.lanes), x.lanes // 2
        if half == 1:
            low, high = (w.value(f"extractelement {wide} {x.text}, i64 {n}") for n in (0, 1))
        else:
            low, high = (w.value(f"shufflevector {wide} {x.text}, {wide} poison, {mask_of(range(start, start + half))}")
                         for start in (0, half))
        x = combined(w, acc, Operand(low, x.dtype, half), Operand(high, x.dtype, half))
    return x


def fold_across(w: Writer, acc: Acc, sums: list[Operand], lanes: int, whole: bool) -> Operand:
    """A vector of `lanes` lanes, a power of two: the first are the sums, the others hold anything. Of sums with more lanes `whole` vectors
    are halved side by side, too, and what is left of them is added up in the end, all at once: that pays where work on a whole vector takes
    no longer than on half of it. Else each is brought down to so many lanes by itself. More sums than one has lanes are vectors of their
    own, side by side."""
    if lanes > sums[0].lanes:
        return _side_by_side(w, acc, sums, lanes, whole)
    sums = sums if whole else [fold_lanes(w, acc, x, lanes) for x in sums]
    width = sums[0].lanes
    kind, distance = scalar_code.register_type(acc.dtype, width), width // 2
    parts = [x.text for x in sums] + ["poison"] * (lanes - len(sums))
    while len(parts) > 1:
        chosen = mask_of(n + width * bool(n & distance) for n in range(width))
        other = mask_of((n ^ distance) + width * bool(n & distance) for n in range(width))
        pairs = zip(parts[:len(parts) // 2], parts[len(parts) // 2:], strict=True)
        parts, distance = [_halved(w, acc, kind, width, a, b, chosen, other) for a, b in pairs], distance // 2
    total = Operand(parts[0], acc.dtype, width)
    while distance:
        total, distance = _with_its_neighbour(w, acc, total, distance), distance // 2
    return _every(w, total, width // lanes) if lanes < width else total


def _side_by_side(w: Writer, acc: Acc, sums: list[Operand], lanes: int, whole: bool) -> Operand:
    """The lower and the upper half of `lanes` lanes, each of which is as `fold_across` says."""
    half = lanes // 2
    low, high = sums[:half], sums[half:]
    few = max(2, 1 << (len(high) - 1).bit_length())
    kind, narrow = (scalar_code.register_type(acc.dtype, n) for n in (half, few))
    text = fold_across(w, acc, high, few, whole).text
    if few < half:
        text = w.value(f"shufflevector {narrow} {text}, {narrow} poison, {mask_of(min(n, few) for n in range(half))}")
    both = w.value(f"shufflevector {kind} {fold_across(w, acc, low, half, whole).text}, {kind} {text}, {mask_of(range(lanes))}")
    return Operand(both, acc.dtype, lanes)


def fold_terms(w: Writer, acc: Acc, x: Operand, ways: int) -> Operand:
    """Of each `ways` neighbouring lanes the sum: whole vectors to the last, since halves of vectors lie in fewer registers, and so would
    what they are halves of."""
    by = 1
    while by < ways:
        x, by = _with_its_neighbour(w, acc, x, by), 2 * by
    return _every(w, x, ways)


def fold_terms_of_several(w: Writer, acc: Acc, sums: list[Operand], ways: int) -> list[Operand]:
    """What `fold_terms` makes of each of no more than `ways` vectors, in the same order: neighbours of two vectors are added up at once, in
    one vector, and what comes of all of them lies in one in the end."""
    lanes, kind = sums[0].lanes, scalar_code.register_type(acc.dtype, sums[0].lanes)
    places = [[(n, lane // ways) for lane in range(lanes)] for n in range(ways)]  # whose column each lane holds a part of
    parts = [x.text for x in sums] + ["poison"] * (ways - len(sums))
    while len(parts) > 1:
        even, odd = ([block + odd + lane + of for block in range(0, lanes, 4) for of in (0, lanes) for lane in (0, 2)] for odd in (0, 1))
        pairs = list(zip(parts[::2], parts[1::2], strict=True))
        parts = [_halved(w, acc, kind, lanes, a, b, mask_of(even), mask_of(odd)) for a, b in pairs]
        places = [[[*a, *b][lane] for lane in even] for a, b in zip(places[::2], places[1::2], strict=True)]
    columns = lanes // ways
    order = mask_of(places[0].index((n // columns, n % columns)) for n in range(lanes))
    whole = w.value(f"shufflevector {kind} {parts[0]}, {kind} poison, {order}")
    return [Operand(w.value(f"shufflevector {kind} {whole}, {kind} poison, {mask_of(range(n * columns, (n + 1) * columns))}"),
                    acc.dtype, columns) for n in range(len(sums))]


def _halved(w: Writer, acc: Acc, kind: str, lanes: int, a: str, b: str, chosen: str, other: str) -> str:
    if a == b == "poison":
        return a
    near, far = (w.value(f"shufflevector {kind} {a}, {kind} {b}, {mask}") for mask in (chosen, other))
    return combined(w, acc, Operand(near, acc.dtype, lanes), Operand(far, acc.dtype, lanes)).text


def _with_its_neighbour(w: Writer, acc: Acc, x: Operand, distance: int) -> Operand:
    """Each lane combined with the one whose number differs in one bit."""
    kind = scalar_code.register_type(x.dtype, x.lanes)
    other = w.value(f"shufflevector {kind} {x.text}, {kind} poison, {mask_of(lane ^ distance for lane in range(x.lanes))}")
    return combined(w, acc, x, Operand(other, x.dtype, x.lanes))


def _every(w: Writer, x: Operand, ways: int) -> Operand:
    """The first of each `ways` lanes."""
    kind = scalar_code.register_type(x.dtype, x.lanes)
    return Operand(w.value(f"shufflevector {kind} {x.text}, {kind} poison, {mask_of(range(0, x.lanes, ways))}"), x.dtype, x.lanes // ways)

"""Whether a call asks for its trips itself: where something is done before them that a call for every piece would do again, as packing
a weight (see runtime/claims.py), and where it goes through them several times (see runtime/helping.py)."""

from __future__ import annotations

from .nest import Let, Loop, Nest, Stmt, all_loads, all_stores, statements


def shared_loops(nest: Nest) -> list[Loop]:
    """The perfectly nested loops that threads share, from the outermost; [] where there is none, or more than one such set."""
    found = [s for s in statements(nest.body) if isinstance(s, Loop) and s.parallel]
    chain = found[:1]
    while chain and len(chain[-1].body) == 1 and isinstance(inner := chain[-1].body[0], Loop) and inner.parallel:
        chain.append(inner)
    return chain if len(chain) == len(found) else []


def claimed_inside(nest: Nest) -> bool:
    """Whether it is one set of loops that a call comes to after something else, once or several times, whose trips may then be another
    thread's than the time before: what a trip leaves is read by nobody but who reads the results, and no sum waits in a thread's memory."""
    chain = shared_loops(nest)
    if not chain or nest.in_place or _alone(nest.body, chain[0]):
        return False
    trips = {loop.var for loop in chain} | {loop.back for loop in chain if loop.back}
    stores, loaded = list(all_stores(chain[0].body)), {load.array for load in all_loads(nest.body)}
    if any(getattr(s, "accumulate", False) or (s.array in nest.scratch and s.index.variables & trips) for s in stores):
        return False
    return all(s.array in nest.scratch or s.array not in loaded for s in stores)


def each_pass(nest: Nest) -> bool:
    """Whether it goes through the same trips several times, and all that it keeps from one pass to the next are sums that each trip puts
    where no other does: whoever makes a trip's next pass then goes on there."""
    sets = _sets(nest.body)
    if len(sets) < 2 or len(nest.scratch) != 1 or not _only_passes(nest.body) or any(loop.takes for loop in sets[0]):
        return False
    counts = [(loop.var, loop.extent, loop.step) for loop in sets[0]]
    if any([(loop.var, loop.extent, loop.step) for loop in chain] != counts for chain in sets):
        return False
    trips = {var for var, extent, step in counts if not isinstance(extent, int) or extent > step}
    stored = [s.index for s in all_stores(nest.body) if s.array in nest.scratch]
    loaded = [load.index[0] for load in all_loads(nest.body) if load.array in nest.scratch]
    return all(index.variables >= trips for index in stored + loaded)


def _sets(body: tuple[Stmt, ...]) -> list[list[Loop]]:
    """The sets of perfectly nested loops that threads share, in order."""
    out: list[list[Loop]] = []
    for s in body:
        if isinstance(s, Loop):
            if not s.parallel:
                out += _sets(s.body)
                continue
            chain = [s]
            while len(chain[-1].body) == 1 and isinstance(inner := chain[-1].body[0], Loop) and inner.parallel:
                chain.append(inner)
            out.append(chain)
    return out


def _only_passes(body: tuple[Stmt, ...]) -> bool:
    """Whether there is nothing around these loops but others, and what these count with."""
    return all(isinstance(s, Let) or (isinstance(s, Loop) and (s.parallel or _only_passes(s.body))) for s in body)


def _alone(body: tuple[Stmt, ...], loop: Loop) -> bool:
    """Whether a body has no loop but that one."""
    return not any(isinstance(s, Loop) and s is not loop for s in body)

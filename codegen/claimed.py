"""Whether a call claims its trips itself (see runtime/claims.py): where something is done before them that a call for every piece would
do again, as packing a weight."""

from __future__ import annotations

from .nest import Loop, Nest, Stmt, all_loads, all_stores, statements


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


def _alone(body: tuple[Stmt, ...], loop: Loop) -> bool:
    """Whether a body has no loop but that one."""
    return not any(isinstance(s, Loop) and s is not loop for s in body)

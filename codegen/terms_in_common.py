"""What terms of a sum have in common that are added in one trip: it stays in registers, of which sums then have fewer."""

from __future__ import annotations

from .nest import VECTOR, Loop, all_loads
from .schedule.foresee import reached
from .schedule.stream import is_streamed


def shared_by_terms(over: Loop, count: int) -> bool:
    """Whether several terms of a sum read the same place: it would be kept in a register from one to the next."""
    inside = [s for s in over.inside if isinstance(s, Loop)]
    for load in set(all_loads(over.body)):
        (index,) = load.index
        step = index.coefficient(over.var)
        places = set(reached(index, [loop for loop in inside if index.coefficient(loop.var) != 0]))
        if not isinstance(step, int) or any(place + step * n in places for place in places for n in range(1, count)):
            return True
    return False


def kept_for_terms(over: Loop, count: int) -> int:
    """Registers that several terms of a sum take beside the sums: for the vectors of one, or for its rows where vectors pass by one at a
    time, and for what one has in common with another."""
    inside = [s for s in over.inside if isinstance(s, Loop)]
    streamed = is_streamed(over)
    kept = 0
    for load in set(all_loads(over.body)):
        (index,) = load.index
        step, moving = index.coefficient(over.var), [loop for loop in inside if index.coefficient(loop.var) != 0]
        places = reached(index, [loop for loop in moving if loop.mode != VECTOR])
        if any(loop.mode == VECTOR for loop in moving) != streamed:
            kept += len(places)
        elif isinstance(step, int):
            kept += len(places & {place + step * n for place in places for n in range(1, count)})
    return kept

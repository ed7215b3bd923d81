"""A step that gives each core a stretch of a shared loop: portion.

    portion(j.o, 2)    parallel for i.o { parallel for j.o in 0..128 step 16 { ... } }
                       ->  parallel for j.o.c in 0..128 step 64 { parallel for i.o { parallel for j.o in 0..64 step 16 { ... } } }

What one core does is then known beforehand, as long as there are as many threads as cores: it can be asked for ahead of its use.
"""

from __future__ import annotations

from kcompile.common.struct import replace

from ...ir.scalar import Aff
from ...ir.types import Dim
from ..nest import Loop, Nest, Stmt, loops, map_body, substitute
from .loops import ScheduleError, record


def portion(nest: Nest, var: str, parts: int) -> Nest:
    """Cuts the shared loop `var` into `parts` equal ones, outside of all the loops that are shared with it."""
    step = f"portion({var}, {parts})"
    found = loops(nest, var)
    if not found or not all(loop.parallel and not loop.clip and not loop.back and not isinstance(loop.extent, Dim)
                            and loop.extent % (parts * loop.step) == 0 for loop in found):
        raise ScheduleError(f"{step}: {var} is not a shared loop of static extent that {parts} cores can divide")
    core = f"{var}.c"

    def change(stmt: Stmt) -> tuple[Stmt, ...] | None:
        if not isinstance(stmt, Loop) or not stmt.parallel:
            return None
        shared = [stmt]
        while isinstance(shared[-1].body[0], Loop) and shared[-1].body[0].parallel:
            shared.append(shared[-1].body[0])
        whole = next(loop for loop in shared if loop.var == var)
        size = int(str(whole.extent)) // parts
        body = substitute(shared[-1].body, {var: Aff.of({core: 1, var: 1})})
        for loop in reversed(shared):
            body = (replace(loop, body=body, extent=size if loop is whole else loop.extent),)
        return (Loop(core, whole.extent, body, step=size, parallel=True),)

    return record(nest, map_body(nest.body, change), step)

"""Passes from graph to graph, by name. Each is a pure function: the graph given is left as it was."""

from __future__ import annotations

from collections.abc import Callable

from kcompile.common.struct import struct

from ..graph import Graph
from .common_subexpressions import common_subexpressions
from .dead_code import dead_code
from .differentiate import differentiate
from .infer import infer
from .simplify import simplify
from .widen import widen
from .winograd import winograd

GraphPass = Callable[[Graph], Graph]


@struct(frozen=True)
class Pass:
    """A named pass; `doc` is its first line."""

    name: str
    function: GraphPass

    @property
    def doc(self) -> str:
        return (self.function.__doc__ or "").strip().splitlines()[0]


PASSES: dict[str, Pass] = {}


def register_pass(name: str, function: GraphPass) -> GraphPass:
    """Enter a pass under a name. Raises ValueError for a duplicate or a pass without docstring."""
    if name in PASSES:
        raise ValueError(f"pass {name} is defined twice")
    if not (function.__doc__ or "").strip():
        raise ValueError(f"pass {name} has no docstring")
    PASSES[name] = Pass(name, function)
    return function


for _name, _function in (("infer", infer), ("differentiate", differentiate), ("dead_code", dead_code),
                         ("common_subexpressions", common_subexpressions), ("simplify", simplify), ("widen", widen),
                         ("winograd", winograd)):
    register_pass(_name, _function)

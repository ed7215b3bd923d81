"""Dead nodes left behind. Params and states stay: they are the graph's signature."""

from __future__ import annotations

from ..graph import Graph
from ..rebuild import rebuild


def dead_code(graph: Graph) -> Graph:
    """A copy without the nodes that no output and no update needs."""
    return rebuild(graph)

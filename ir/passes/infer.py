"""Types derived anew, node by node: for graphs whose text leaves types out, and to check what a pass did."""

from __future__ import annotations

from ..graph import Graph
from ..rebuild import rebuild


def infer(graph: Graph) -> Graph:
    """A copy in which every type was inferred from the params and states. Raises the op's TypeError."""
    return rebuild(graph, nodes=graph.nodes())

"""Who reads whom: nodes in the order of their addition, with their successors and predecessors.

It has the methods of networkx's DiGraph that the IR uses, and no more: networkx itself, with all its algorithms, would be half of what
a process loads before it trains. `Graph.digraph` is one, made for whoever wants those.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from typing import Generic, TypeVar

N = TypeVar("N", bound=Hashable)


class Digraph(Generic[N]):
    """At most one edge from a node to another."""

    def __init__(self) -> None:
        self._successors: dict[N, dict[N, None]] = {}
        self._predecessors: dict[N, dict[N, None]] = {}

    def append(self, node: N, sources: Sequence[N]) -> None:
        """Add a node that is not there, and an edge to it from each of the others."""
        self._successors[node] = {}
        self._predecessors[node] = dict.fromkeys(sources)
        for source in sources:
            self._successors[source][node] = None

    def add_edge(self, source: N, target: N) -> None:
        self._successors[source][target] = None
        self._predecessors[target][source] = None

    def remove_edge(self, source: N, target: N) -> None:
        """Raises KeyError where there is none."""
        del self._successors[source][target]
        del self._predecessors[target][source]

    def remove_node(self, node: N) -> None:
        """And its edges. Raises KeyError."""
        for target in self._successors.pop(node):
            del self._predecessors[target][node]
        for source in self._predecessors.pop(node):
            del self._successors[source][node]

    def successors(self, node: N) -> Iterator[N]:
        """In the order in which the edges were made."""
        return iter(self._successors[node])

    def predecessors(self, node: N) -> Iterator[N]:
        return iter(self._predecessors[node])

    def edges(self) -> Iterator[tuple[N, N]]:
        return ((source, target) for source, targets in self._successors.items() for target in targets)

    def __iter__(self) -> Iterator[N]:
        return iter(self._successors)

    def __len__(self) -> int:
        return len(self._successors)

    def __contains__(self, node: object) -> bool:
        return node in self._successors

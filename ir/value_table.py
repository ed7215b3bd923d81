"""One node for each distinct computation: the table behind common-subexpression elimination and the rewriter."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

from .graph import Attrs, Graph, Value
from .op import Op

# Two of these are never one, however equal they look: they are told apart by the outside.
IDENTITIES = frozenset({"param", "state", "cotangent"})


class ValueTable:
    """Adds nodes to a graph, or returns those of an equal node that is there already."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.known: dict[Hashable, tuple[Value, ...]] = {}
        self.merged = 0

    def key(self, op: Op, inputs: Sequence[Value], attrs: Attrs) -> Hashable:
        return (op.name, tuple([(value.node.number, value.index) for value in inputs]),
                tuple([(name, frozen(attrs[name])) for name in sorted(attrs)]))

    def add(self, op: Op, inputs: Sequence[Value], attrs: Attrs, key: Hashable = None) -> tuple[Value, ...]:
        """`key`: where the caller has it."""
        if op.name in IDENTITIES:
            return self.graph.add(op, inputs, attrs)
        key = key or self.key(op, inputs, attrs)
        known = self.known.get(key)
        if known is None:
            known = self.known[key] = self.graph.add(op, inputs, attrs)
        else:
            self.merged += 1
        return known


def frozen(value: Any) -> Hashable:
    """A key that tells apart what compares equal in Python: 0.0 and -0.0, 1, 1.0 and True; a NaN equals itself."""
    if isinstance(value, (float, int)):
        return type(value).__name__, repr(value)
    if isinstance(value, tuple):
        return tuple([frozen(v) for v in value])
    return value  # type: ignore[no-any-return]

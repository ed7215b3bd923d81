"""Equal computations merged: same op, same operands, same attributes."""

from __future__ import annotations

from collections.abc import Sequence

from ..graph import Graph, Node, Value
from ..rebuild import rebuild
from ..value_table import ValueTable


def common_subexpressions(graph: Graph) -> Graph:
    """A copy in which every distinct computation stands once; it keeps the path of the first that asked for it."""
    table: list[ValueTable] = []

    def change(new: Graph, node: Node, inputs: tuple[Value, ...]) -> Sequence[Value] | None:
        if not table:
            table.append(ValueTable(new))
        return table[0].add(node.op, inputs, node.attrs)

    return rebuild(graph, change)

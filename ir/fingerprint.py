"""What tells graphs apart for the compiler, as text: quick to make, not to be read."""

from __future__ import annotations

from .graph import Graph, Value


def fingerprint(graph: Graph) -> str:
    """Equal for graphs that are made of the same nodes in the same order, under the same names; layers and source lines do not count."""
    place = {node: n for n, node in enumerate(graph.links)}

    def at(value: Value) -> str:
        return f"{place[value.node]}.{value.index}"
    parts = [graph.name]
    parts += [f"{node.op.name} {' '.join(map(at, node.inputs))} {node.attrs}" for node in graph.links]
    for table in (graph.outputs, graph.updates):
        parts += [f"{name} {at(value)}" for name, value in table.items()]
        parts.append("")
    return "\n".join(parts)

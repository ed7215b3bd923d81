"""Copying a graph node by node: how passes stay pure functions.

`rebuild(graph, change)` makes a new graph. For each node, in topological order, `change` may return the values (of the
new graph) that stand for the node's outputs, or None to copy it. Path and source of the old node hold meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from .graph import Graph, GraphError, Node, Value

# change(new graph, old node, its inputs in the new graph) -> values for the old node's outputs, or None to copy it
Change = Callable[[Graph, Node, tuple[Value, ...]], Sequence[Value] | None]


def live_nodes(graph: Graph) -> dict[int, Node]:
    """All that an output or an update needs, and every param and state (they are the graph's signature), by number."""
    live: dict[int, Node] = {}
    waiting = [value.node for value in (*graph.roots(), *graph.params.values(), *graph.states.values())]
    while waiting:
        node = waiting.pop()
        if node.number not in live:
            live[node.number] = node
            waiting += [value.node for value in node.inputs]
    return live


def rebuild(graph: Graph, change: Change | None = None, nodes: Iterable[Node] | None = None) -> Graph:
    """A new graph with the same params, states, outputs and updates. `nodes`: those to visit, in topological order
    (the live ones by default, so that every rebuild leaves dead nodes behind)."""
    if nodes is None:
        live = live_nodes(graph)
        nodes = [node for node in graph.nodes() if node.number in live]
    new = Graph(graph.name)
    made: dict[int, Sequence[Value]] = {}  # by the number of the old node
    for node in nodes:
        inputs = tuple([made[value.node.number][value.index] for value in node.inputs])
        new.locate(node.path, node.source)
        values = change(new, node, inputs) if change else None
        if values is None:
            values = new.copy(node, inputs)
        elif len(values) != len(node.outputs):
            raise GraphError(f"{node!r} has {len(node.outputs)} outputs, but {len(values)} stand for them")
        made[node.number] = values
    new.locate("", "")
    for old_table, new_table in ((graph.params, new.params), (graph.states, new.states),
                                 (graph.outputs, new.outputs), (graph.updates, new.updates)):
        new_table.update((name, made[value.node.number][value.index]) for name, value in old_table.items())
    return new


def transplant(graph: Graph, targets: Sequence[Value], replaced: dict[Value, Value]) -> list[Value]:
    """Copy, within one graph, what computes `targets` from the keys of `replaced`, reading their values instead.

    Nodes that do not depend on a replaced value are shared, not copied.
    """
    order: list[Node] = []
    seen: set[Node] = {value.node for value in replaced}
    stack: list[tuple[Node, bool]] = [(value.node, False) for value in reversed(targets)]
    while stack:
        node, done = stack.pop()
        if done:
            order.append(node)
        elif node not in seen:
            seen.add(node)
            stack.append((node, True))
            stack.extend((value.node, False) for value in reversed(node.inputs))
    mapping = dict(replaced)
    for node in order:
        inputs = tuple(mapping.get(value, value) for value in node.inputs)
        if inputs != node.inputs:
            with graph.located(node.path, node.source):
                mapping.update(zip(node.outputs, graph.add(node.op, inputs, node.attrs), strict=True))
    return [mapping.get(value, value) for value in targets]


def prune(graph: Graph) -> None:
    """Remove, in place, the nodes that no output, update, param or state needs."""
    live = live_nodes(graph)
    for node in sorted((n for n in graph.links if n.number not in live), reverse=True):
        graph.remove(node)
        node.outputs = ()  # which refer to the node: see Graph.dissolve

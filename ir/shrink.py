"""Makes a graph that shows a fault small.

    small = shrink(graph, lambda g: breaks(g))        # fewest nodes for which the predicate still holds
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from . import build
from .graph import Graph, Node, Value
from .rebuild import live_nodes, rebuild


def shrink(graph: Graph, fails: Callable[[Graph], bool]) -> Graph:
    """The smallest graph found for which `fails` still holds: roots dropped, and values replaced by an operand of the same
    type or by a constant, for as long as that succeeds."""
    progress = True
    while progress:
        progress = False
        for candidate in _smaller(graph):
            if _size(candidate) < _size(graph) and fails(candidate):
                graph, progress = candidate, True
                break
    return graph


def _size(graph: Graph) -> tuple[int, int, int]:
    """What shrinking makes smaller: nodes that compute, then roots, then sources."""
    live = live_nodes(graph)
    return sum(1 for node in live.values() if node.inputs), len(list(graph.roots())), len(live)


def _smaller(graph: Graph) -> Iterator[Graph]:
    """Graphs with one root or one node less, the boldest cuts first."""
    for table in ("outputs", "updates"):
        for name in getattr(graph, table):
            smaller = rebuild(graph)
            del getattr(smaller, table)[name]
            if list(smaller.roots()):
                yield rebuild(smaller)
    for name, value in graph.outputs.items():
        for operand in value.node.inputs:
            yield _with_output(graph, name, operand)
    for target in reversed(graph.nodes()):
        if target.op.name == "gradient":
            yield from _fewer_gradients(graph, target)
        elif len(target.types) == 1 and target.inputs:
            for value in [v for v in target.inputs if v.type == target.types[0]]:
                yield _replaced(graph, target.output, value)
            yield _replaced(graph, target.output, None)
    for table in ("params", "states"):
        for name, value in getattr(graph, table).items():
            if not graph.users(value) and value not in list(graph.roots()):
                smaller = rebuild(graph)
                dropped = getattr(smaller, table).pop(name)
                smaller.remove(dropped.node)
                yield smaller


def _with_output(graph: Graph, name: str, value: Value) -> Graph:
    found: dict[Value, Value] = {}

    def note(new: Graph, node: Node, inputs: tuple[Value, ...]) -> Sequence[Value]:
        made = new.add(node.op, inputs, node.attrs)
        found.update(zip(node.outputs, made, strict=True))
        return made

    smaller = rebuild(graph, note)
    smaller.outputs[name] = found[value]
    return rebuild(smaller)


def _fewer_gradients(graph: Graph, target: Node) -> Iterator[Graph]:
    """Without the gradients that nothing reads."""
    roots = set(graph.roots())
    read = [v in roots or bool(graph.users(v)) for v in target.outputs]
    if all(read) or not any(read):
        return

    def change(new: Graph, node: Node, inputs: tuple[Value, ...]) -> Sequence[Value] | None:
        if node is not target:
            return None
        kept = iter(new.add(node.op, [inputs[0], *(v for v, wanted in zip(inputs[1:], read, strict=True) if wanted)]))
        return [next(kept) if wanted else inputs[0] for wanted in read]

    yield rebuild(rebuild(graph, change))


def _replaced(graph: Graph, old: Value, new: Value | None) -> Graph:
    def change(target: Graph, node: Node, inputs: tuple[Value, ...]) -> Sequence[Value] | None:
        if node is not old.node:
            return None
        if new is None:
            return [build.constant(target, 0.5 if old.dtype.is_float else 1, old.type)]
        return [inputs[old.node.inputs.index(new)]]
    return rebuild(rebuild(graph, change))

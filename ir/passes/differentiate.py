"""Reverse mode: replaces every `gradient` node by the backward pass it asks for.

One sweep serves all the values of a `gradient` node. Cotangents of a value are added in the order in which its readers
are met, last reader first, so the same graph gives the same bits. Nodes of the backward pass carry the path and the
source line of the forward node they belong to.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..graph import Graph, GraphError, Node, Value
from ..op import OPS, NoGradient
from ..ops.pseudo import PSEUDO_OPS, custom_gradient_parts
from ..rebuild import prune, rebuild, transplant

# The derivative is zero wherever it exists: a cotangent that arrives at one of these may be dropped.
PIECEWISE_CONSTANT = frozenset({"floor", "ceil", "round", "sign", "floordiv", "stop_gradient"})


def differentiate(graph: Graph) -> Graph:
    """The graph without pseudo ops. Raises GraphError for an op without a gradient between a loss and a value."""
    if not any(node.op.name in PSEUDO_OPS for node in graph.links):
        return rebuild(graph)

    def expand(new: Graph, node: Node, inputs: tuple[Value, ...]) -> Sequence[Value] | None:
        return backward(new, inputs[0], inputs[1:]) if node.op.name == "gradient" else None

    def strip(new: Graph, node: Node, inputs: tuple[Value, ...]) -> Sequence[Value] | None:
        return inputs[:node.attrs["outputs"]] if node.op.name == "custom_gradient" else None

    stripped = rebuild(graph, expand)
    if "custom_gradient" in {node.op.name for node in stripped.links}:
        stripped = rebuild(stripped, strip)
    left = next((node for node in stripped.links if node.op.name in PSEUDO_OPS), None)
    if left is not None and any(left in _ancestors(root) for root in stripped.roots()):
        raise GraphError(f"graph {graph.name}: cotangent {left.attrs['name']!r} is read outside its custom_gradient")
    prune(stripped)
    return stripped


def backward(graph: Graph, loss: Value, wanted: Sequence[Value]) -> list[Value]:
    """Append the backward pass of `loss` (a float scalar) to a graph; the gradient of each wanted value."""
    active = _active_nodes(loss, set(wanted))
    gathered: dict[Value, list[Value]] = {loss: [_constant(graph, loss, 1.0)]}

    def total(value: Value) -> Value | None:
        terms = gathered.get(value)
        if not terms:
            return None
        while len(terms) > 1:
            terms[:2] = graph.add(OPS["add"], terms[:2])
        return terms[0]

    asked = set(wanted)
    results = []
    with graph.located("", ""):
        for node in sorted(active, reverse=True):  # a node is created after its inputs: this is reverse topological order
            graph.locate(node.path, node.source)
            cotangents = tuple([total(value) for value in node.outputs])
            if all(ct is None for ct in cotangents):
                continue
            for value, ct in _pull_back(graph, node, cotangents):
                if value.node in active or value in asked:
                    gathered.setdefault(value, []).append(ct)
        for value in wanted:
            graph.locate(value.node.path, value.node.source)
            gradient = total(value)
            results.append(_constant(graph, value, 0.0) if gradient is None else gradient)
    return results


def _pull_back(graph: Graph, node: Node, cotangents: tuple[Value | None, ...]) -> list[tuple[Value, Value]]:
    """(input, its cotangent) for every float input of the node that the op sends one to."""
    if node.op.name == "custom_gradient":
        return _pull_back_custom(graph, node, cotangents)
    vjp = node.op.vjp
    if isinstance(vjp, NoGradient):
        if node.op.name in PIECEWISE_CONSTANT:
            return []
        raise GraphError(f"{node.op.name} has no gradient ({vjp.why}), but a value to be trained reaches the loss through "
                         f"it{_place(node)}; put stop_gradient before it, or use a differentiable form")
    pulled = vjp(cotangents, node.inputs, node.outputs, node.attrs)
    if len(pulled) != len(node.inputs):
        raise GraphError(f"the gradient of {node.op.name} gives {len(pulled)} cotangents for {len(node.inputs)} inputs")
    pairs = []
    for value, ct in zip(node.inputs, pulled, strict=True):
        if ct is None or not value.dtype.is_float:
            continue
        if ct.type != value.type:
            raise GraphError(f"the gradient of {node.op.name} gives {ct.type} for an input of type {value.type}")
        pairs.append((value, ct))
    return pairs


def _pull_back_custom(graph: Graph, node: Node, cotangents: tuple[Value | None, ...]) -> list[tuple[Value, Value]]:
    m, n = custom_gradient_parts(len(node.inputs), node.attrs["outputs"])
    given = [_constant(graph, value, 0.0) if ct is None else ct
             for value, ct in zip(node.outputs, cotangents, strict=True)]
    replaced = dict(zip(node.inputs[m + n:2 * m + n], given, strict=True))
    gradients = transplant(graph, node.inputs[2 * m + n:], replaced)
    return [(value, ct) for value, ct in zip(node.inputs[m:m + n], gradients, strict=True) if value.dtype.is_float]


def _active_nodes(loss: Value, wanted: set[Value]) -> set[Node]:
    """The nodes between the wanted values and the loss: ancestors of the loss that depend on a wanted value."""
    active: set[Node] = set()
    for node in sorted(_ancestors(loss)):
        # The values of a custom_gradient get nothing: only its named inputs carry dependence.
        inputs: Sequence[Value] = node.inputs
        if node.op.name == "custom_gradient":
            m, n = custom_gradient_parts(len(node.inputs), node.attrs["outputs"])
            inputs = node.inputs[m:m + n]
        if any(value in wanted or value.node in active for value in inputs):
            active.add(node)
    return active


def _ancestors(value: Value) -> set[Node]:
    seen: set[Node] = set()
    waiting = [value.node]
    while waiting:
        node = waiting.pop()
        if node not in seen:
            seen.add(node)
            waiting.extend(v.node for v in node.inputs)
    return seen


def _constant(graph: Graph, like: Value, value: float) -> Value:
    return graph.add(OPS["constant"], (), {"value": value, "type": like.type})[0]


def _place(node: Node) -> str:
    layer = f" in layer {node.path}" if node.path else ""
    return f"{layer} ({node.source})" if node.source else layer

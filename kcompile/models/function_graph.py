"""Owns the walk over recorded calls: which nodes lie between inputs and outputs, in which order, and running them again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from ..operation import Node, Operation
from ..tensor import KerasTensor

Call = Callable[[Node, tuple[Any, ...], dict[str, Any]], Any]


class FunctionGraph:
    """The calls that lead from the symbolic tensors `inputs` to `outputs` (flat lists).

    nodes        in the order of execution: by depth (the longest way to an output), deepest first
    operations   each once, by depth, then in the order in which the outputs reach them
    Raises ValueError when an output depends on a tensor that no input leads to.
    """

    def __init__(self, inputs: Sequence[KerasTensor], outputs: Sequence[KerasTensor]) -> None:
        self.inputs, self.outputs = list(inputs), list(outputs)
        self._given = {id(tensor) for tensor in inputs}
        finished, first_seen = self._walk()
        node_depth, depth_of = _depths(finished, self._given)
        by_id = {id(node): node for node in finished}
        # calls of equal depth run in the order in which their results are used: a shared layer's statistics depend on it
        run = [by_id[key] for key in node_depth if key in by_id and not self._is_given(by_id[key])]
        self.nodes = sorted(run, key=lambda node: -node_depth[id(node)])
        self._dead = self._dead_after()
        for tensor in inputs:  # inputs that no output needs come last
            operation = tensor._keras_history.operation  # type: ignore[attr-defined]
            if not is_intermediate(tensor):
                depth_of.setdefault(id(operation), 0)
                first_seen.setdefault(id(operation), (-1, operation))
        found = sorted((-depth_of[key], index, key) for key, (index, _) in first_seen.items())
        self.operations: list[Operation] = [first_seen[key][1] for _, _, key in found]
        self.node_ids = {id(node) for node in finished} | {
            id(_node_of(tensor)) for tensor in inputs if not is_intermediate(tensor)}
        self._check_names()

    def _is_given(self, node: Node) -> bool:
        return all(id(tensor) in self._given for tensor in node.outputs)

    def _walk(self) -> tuple[list[Node], dict[int, tuple[int, Operation]]]:
        """(nodes, each after those it needs; operations by the order of first sight)."""
        finished: list[Node] = []
        done: set[int] = set()
        first_seen: dict[int, tuple[int, Operation]] = {}
        for output in self.outputs:
            stack: list[tuple[Node, bool]] = [(_node_of(output), False)]
            while stack:
                node, ready = stack.pop()
                if ready:
                    if id(node) not in done:
                        done.add(id(node))
                        finished.append(node)
                    continue
                if id(node) in done:
                    continue
                first_seen.setdefault(id(node.operation), (len(first_seen), node.operation))
                stack.append((node, True))
                if self._is_given(node):
                    continue
                if not node.input_tensors:
                    raise ValueError(f"An output of the model depends on the tensor of `Input` '{node.operation.name}', "
                                     "which is not among the model's `inputs`.")
                needed = [tensor for tensor in node.input_tensors if id(tensor) not in self._given or not is_intermediate(tensor)]
                stack.extend((_node_of(tensor), False) for tensor in reversed(needed))
        return finished, first_seen

    def _check_names(self) -> None:
        counts = Counter(operation.name for operation in self.operations)
        for name, count in counts.items():
            if count > 1:
                raise ValueError(f'The name "{name}" is used {count} times in the model. All operation names should be unique.')

    def _dead_after(self) -> list[list[int]]:
        """For each node, which tensors (by id) nothing reads after it: their values are given up while others are computed."""
        last: dict[int, int] = {}
        for number, node in enumerate(self.nodes):
            last.update((id(tensor), number) for tensor in (*node.outputs, *node.input_tensors))
        dead: list[list[int]] = [[] for _ in self.nodes]
        for key in last.keys() - {id(tensor) for tensor in self.outputs}:
            dead[last[key]].append(key)
        return dead

    def run(self, values: Sequence[Any], call: Call) -> list[Any]:
        """The outputs for values of the inputs; `call(node, args, kwargs)` computes one node."""
        known = {id(tensor): value for tensor, value in zip(self.inputs, values, strict=True)}
        for node, dead in zip(self.nodes, self._dead, strict=True):
            args, kwargs = node.fill_in(known)
            results = call(node, args, kwargs)
            known.update((id(tensor), result) for tensor, result in zip(node.outputs, _leaves(results, len(node.outputs)), strict=True))
            del args, kwargs, results  # the last that hold on to what nothing reads any more
            for key in dead:
                known.pop(key, None)
        return [known[id(tensor)] for tensor in self.outputs]


def _leaves(results: Any, count: int) -> list[Any]:
    from .. import tree

    return [results] if count == 1 and not tree.is_nested(results) else [leaf for leaf in tree.flatten(results) if leaf is not None]


def _node_of(tensor: KerasTensor) -> Node:
    history = getattr(tensor, "_keras_history", None)
    if history is None:
        raise ValueError(f"{tensor!r} does not come from `Input` or from a layer: it cannot be an input or output of a model")
    node: Node = history.operation._inbound_nodes[history.node_index]
    return node


def is_intermediate(tensor: KerasTensor) -> bool:
    """Whether it is a result of some layer rather than an `Input`."""
    return bool(_node_of(tensor).input_tensors)


def _depths(finished: list[Node], given: set[int]) -> tuple[dict[int, int], dict[int, int]]:
    """({id of node: depth}, {id of operation: depth}); an operation lies as deep as its deepest call."""
    node_depth: dict[int, int] = {}
    operation_depth: dict[int, int] = {}
    for node in reversed(finished):
        depth = max(node_depth.get(id(node), 0), operation_depth.get(id(node.operation), 0))
        node_depth[id(node)] = operation_depth[id(node.operation)] = depth
        for tensor in node.input_tensors if not all(id(t) in given for t in node.outputs) else ():
            parent = _node_of(tensor)
            node_depth[id(parent)] = max(depth + 1, node_depth.get(id(parent), 0))
    return node_depth, operation_depth

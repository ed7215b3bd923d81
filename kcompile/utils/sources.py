"""get_source_inputs: which inputs a symbolic tensor was made from."""

from __future__ import annotations

from typing import Any

from .. import tree


def get_source_inputs(tensor: Any) -> Any:
    """The list of `Input` tensors that a symbolic tensor was made from, each once; what is no symbolic tensor comes back as it is."""
    if getattr(tensor, "_keras_history", None) is None:
        return tensor
    found: dict[int, Any] = {}
    seen: set[int] = set()
    waiting = [tensor]
    while waiting:
        current = waiting.pop()
        history = getattr(current, "_keras_history", None)
        node = None if history is None else history.operation._inbound_nodes[history.node_index]
        if node is None:
            found.setdefault(id(current), current)
        elif node.is_input:
            found.update((id(output), output) for output in tree.flatten(node.output_tensors))
        elif id(node) not in seen:
            seen.add(id(node))
            waiting.extend(reversed(node.input_tensors))
    return list(found.values())
